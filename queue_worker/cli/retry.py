"""`queue-worker retry` and `requeue-lost`: run once more what has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.operator import Actor, QueueJobId, Reason, print_answer
from queue_worker.cli.output import print_json, print_table
from queue_worker.governance import operations
from queue_worker.governance.operations import Operator

_COLUMNS = ("queue_job_id", "lost_run", "job", "what")


def retry(
    context: typer.Context,
    queue_job_id: QueueJobId,
    reason: Reason,
    actor: Actor,
    *,
    although_succeeded: Annotated[
        bool, typer.Option("--although-succeeded", help="Also a job that has succeeded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a job that has ended once more: the same job, its next attempt."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        run_id = operations.retry_job(
            connection,
            queue_job_id,
            Operator(actor, reason),
            although_succeeded=although_succeeded,
        )
    print_answer(
        f"Job {queue_job_id} waits for run {run_id}.",
        as_json=as_json, queue_job_id=queue_job_id, run_id=run_id,
    )  # fmt: skip


def requeue_lost(
    context: typer.Context,
    reason: Reason,
    actor: Actor,
    *,
    job: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    hours: Annotated[
        float, typer.Option(min=0, max=876_000, help="What was lost in these last hours.")
    ] = 24,
    at_most: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 1000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; list what would be run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run once more what was lost with its worker and not run again, newest first."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        rows = operations.requeue_lost(
            connection,
            Operator(actor, reason),
            job=job,
            within=timedelta(hours=hours),
            at_most=at_most,
            dry_run=dry_run,
        )
    if as_json:
        print_json(rows)
    else:
        print_table("Lost runs", _COLUMNS, rows)
