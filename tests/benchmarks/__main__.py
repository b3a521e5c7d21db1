"""Measure queue_worker beside other queues on Postgres: `python -m tests.benchmarks`.

Measures on the server at DATABASE_URL, in databases of its own, or on a temporary server.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.benchmarks.measurements import measure
from tests.benchmarks.plan import MEASUREMENTS, Plan
from tests.benchmarks.plot import draw, require_matplotlib
from tests.benchmarks.samples import Results
from tests.benchmarks.server import CannotMeasureError, benchmark_server
from tests.benchmarks.tables import render


def main(arguments: list[str] | None = None) -> int:
    """Read the options, measure, write; the exit code is 1 if something could not be measured."""
    options = _parser().parse_args(arguments)
    try:
        if options.plot:
            require_matplotlib()
        if options.read:
            _write(Results.read(options.read), options)
            return 0
        results = _measure(_plan(options), options)
    except CannotMeasureError as error:
        print(f"benchmarks: {error}", file=sys.stderr)  # noqa: T201  a command
        return 1
    return 1 if results.has_failed else 0


def _measure(plan: Plan, options: argparse.Namespace) -> Results:
    results = Results()
    with benchmark_server(os.environ.get("DATABASE_URL")) as server:
        try:
            measure(plan, server, results)
        finally:  # what was measured before an error is worth keeping
            if results.samples:
                _write(results, options)
    return results


def _plan(options: argparse.Namespace) -> Plan:
    wanted = {field.name: getattr(options, field.name) for field in fields(Plan)}
    return Plan(**{name: value for name, value in wanted.items() if value})


def _write(results: Results, options: argparse.Namespace) -> None:
    if options.json:
        results.write(options.json)
    if options.plot:
        draw(results, options.plot)
    print(render(results, markdown=options.markdown))  # noqa: T201  a command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"What each size means:\n{Plan.__doc__}",
    )
    parser.add_argument(
        "measurements", nargs="*", metavar="measurement",
        help=f"which ones: {', '.join(MEASUREMENTS)}; none means all",
    )  # fmt: skip
    for field in fields(Plan):
        if field.name != "measurements":
            name, kind, default = field.name.replace("_", "-"), type(field.default), field.default
            if isinstance(default, tuple):
                kind, default = _list_of(type(default[0])), ",".join(map(str, default))
            parser.add_argument(f"--{name}", type=kind, metavar="VALUE", help=f"default {default}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them there (svg, png)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument(
        "--read", type=Path, metavar="FILE", help="show the figures of an earlier --json"
    )
    return parser


def _list_of(kind: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    def read(text: str) -> tuple[Any, ...]:
        return tuple(kind(part.strip()) for part in text.split(",") if part.strip())

    return read


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and workers end too
    sys.exit(main())
