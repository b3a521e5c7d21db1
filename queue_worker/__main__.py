"""`python -m queue_worker` is the `queue-worker` command."""

from queue_worker.cli import main

main()
