"""`queue-worker runs`: the newest runs of the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, readable_database
from queue_worker.cli.output import print_json, print_table
from queue_worker.execution.outcome import Outcome
from queue_worker.governance.reports import Row, error_of, list_runs

_COLUMNS = ("run_id", "job", "outcome", "started_at", "ms", "error")


def runs(
    context: typer.Context,
    job: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    outcome: Annotated[
        Outcome | None, typer.Option(metavar="OUTCOME", help=f"Only {', '.join(Outcome)}.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="NUMBER", help="How many at most.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest runs, newest first."""
    invocation: Invocation = context.obj
    with readable_database(invocation.settings()) as connection:
        rows = list_runs(
            connection, job=job, outcome=outcome.value if outcome else None, limit=limit
        )
    if as_json:
        print_json(rows)
    else:
        print_table("Runs", _COLUMNS, map(_short, rows))


def _short(row: Row) -> Row:
    return {**row, "ms": row["duration_ms"], "error": error_of(row)}
