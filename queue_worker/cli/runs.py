"""`queue-worker runs`: the newest runs of the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.output import print_json, print_table
from queue_worker.execution.outcome import Outcome
from queue_worker.governance.reports import list_runs

_COLUMNS = ("run_id", "job", "outcome", "started_at", "duration_ms", "error_class", "error_message")


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
    with ready_database(invocation.settings()) as connection:
        rows = list_runs(
            connection, job=job, outcome=outcome.value if outcome else None, limit=limit
        )
    if as_json:
        print_json(rows)
    else:
        print_table("Runs", _COLUMNS, rows)
