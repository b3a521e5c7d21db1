"""`queue-worker cancel`: take a job out of the queue, or end its run."""

from __future__ import annotations

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.operator import Actor, QueueJobId, Reason, print_answer
from queue_worker.governance import operations
from queue_worker.governance.operations import Operator


def cancel(
    context: typer.Context,
    queue_job_id: QueueJobId,
    reason: Reason,
    actor: Actor,
    *,
    as_json: AsJson = False,
) -> None:
    """Cancel a queued job for good; one that runs is asked to end within a second."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        what = operations.cancel_job(connection, queue_job_id, Operator(actor, reason))
    print_answer(
        f"Job {queue_job_id} is {what}.", as_json=as_json, queue_job_id=queue_job_id, what=what
    )
