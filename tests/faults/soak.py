"""Soak a fleet in faults and print what became of the promises: `python -m tests.faults.soak`."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import fields
from pathlib import Path

from tests.support.soak import Plan, soaked
from tests.support.soak_check import examine


def main() -> None:
    """Read the options, run, print; what cannot be so ends it with 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    for option in fields(Plan):
        name = "--" + option.name.replace("_", "-")
        if isinstance(option.default, bool):
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(option.default), default=option.default)
    parser.add_argument("--keep", type=Path, help="a folder for the ledger and the workers' logs")
    options = vars(parser.parse_args())
    keep = options.pop("keep")
    plan = Plan(**options)
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with soaked(plan, folder) as soak:
            figures = examine(soak)
    print(plan)  # noqa: T201  a command
    print("\n".join(figures.lines()))  # noqa: T201
    broken = figures.lost or figures.left_doing or figures.fence_violations
    raise SystemExit(1 if broken or figures.ticks_fired_twice else 0)


if __name__ == "__main__":
    main()
