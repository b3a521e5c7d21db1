"""How fast it is, beside other queues on Postgres: `python -m tests.benchmarks --help`."""

import warnings

warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")  # the embedded Postgres asks for it
