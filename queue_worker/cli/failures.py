"""`queue-worker failures`: what went wrong of late."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, readable_database
from queue_worker.cli.output import print_json, print_table
from queue_worker.governance.reports import Row, error_of, list_failures

_COLUMNS = ("run_id", "job", "outcome", "finished_at", "retry", "error")


def failures(
    context: typer.Context,
    job: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    hours: Annotated[
        int, typer.Option(min=1, max=87_600, metavar="NUMBER", help="How far to look back.")
    ] = 24,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="NUMBER", help="How many at most.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest runs that failed, timed out or were lost; `show` tells all of one."""
    invocation: Invocation = context.obj
    with readable_database(invocation.settings()) as connection:
        rows = list_failures(connection, job=job, hours=hours, limit=limit)
    if as_json:
        print_json(rows)
    else:
        print_table("Failures", _COLUMNS, map(_short, rows))


def _short(row: Row) -> Row:
    return {**row, "retry": row["retry_at"], "error": error_of(row)}
