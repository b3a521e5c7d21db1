"""Measure queue_worker beside other queues on Postgres: `python -m tests.benchmarks`."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import MISSING, fields
from pathlib import Path

from tests.benchmarks.fleet import MeasurementError
from tests.benchmarks.measurements import measure
from tests.benchmarks.plan import MEASUREMENTS, Plan
from tests.benchmarks.plot import draw, require_matplotlib
from tests.benchmarks.samples import Results
from tests.benchmarks.server import CannotMeasureError, benchmark_server
from tests.benchmarks.tables import render


def main(arguments: list[str] | None = None) -> int:
    """Read the options, measure, write; the exit code is 1 if that could not be done."""
    options = _parser().parse_args(arguments)
    wanted = {field.name: getattr(options, field.name) for field in fields(Plan)}
    plan = Plan(**{name: value for name, value in wanted.items() if value is not None})
    try:
        if options.plot:
            require_matplotlib()
        with benchmark_server(os.environ.get("DATABASE_URL")) as server:
            results = Results()
            try:
                measure(plan, server, results)
            finally:  # what was measured before an error is worth keeping
                _write(results, options)
    except (CannotMeasureError, MeasurementError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)  # noqa: T201  a command
        return 1
    return 0


def _write(results: Results, options: argparse.Namespace) -> None:
    if options.json:
        results.write(options.json)
    if options.plot:
        draw(results, options.plot)
    print(render(results, markdown=options.markdown))  # noqa: T201  a command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "measurements", nargs="*", metavar="measurement", choices=[*MEASUREMENTS, []],
        help=f"which ones: {', '.join(MEASUREMENTS)}; none means all",
    )  # fmt: skip
    for field in fields(Plan):
        if field.name == "measurements":
            continue
        assert field.default is not MISSING
        kind, default = type(field.default), field.default
        if kind is tuple:
            kind, default = _list_of(type(default[0])), ",".join(map(str, default))
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, metavar="VALUE",
            help=f"default {default}",
        )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them there (svg, png)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    return parser


def _list_of(kind: type) -> object:
    def read(text: str) -> tuple[object, ...]:
        return tuple(kind(part.strip()) for part in text.split(","))

    return read


if __name__ == "__main__":
    sys.exit(main())
