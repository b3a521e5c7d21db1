"""`queue-worker timeline`: the runs of the last hours as one HTML file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from queue_worker.cli.invocation import Invocation, readable_database
from queue_worker.cli.output import say
from queue_worker.governance.timeline import read_period, render_timeline

_SECONDS = 60.0  # what a statement may take: it counts every run of the period


def timeline(
    context: typer.Context,
    hours: Annotated[
        float, typer.Option(min=0.1, max=8760, metavar="NUMBER", help="How far to look back.")
    ] = 24.0,
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="Where to write it; - is standard output.")
    ] = Path("queue-worker-timeline.html"),
) -> None:
    """Draw the runs of the last hours, failures and misses, in a file for any browser."""
    invocation: Invocation = context.obj
    with readable_database(invocation.settings(), _SECONDS) as connection:
        page = render_timeline(read_period(connection, hours)).encode()
    if str(output) == "-":
        sys.stdout.buffer.write(page)
        return
    output.write_bytes(page)
    say(f"Written to {output}; open it in a browser.")
