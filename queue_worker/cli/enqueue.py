"""`queue-worker enqueue`: put a job into the queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, parse_arguments, ready_database
from queue_worker.cli.output import out, print_json
from queue_worker.queue.client import SyncQueueClient


def enqueue(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="The name of the job.")],
    arguments: Annotated[
        str | None, typer.Option("--args", metavar="JSON", help="Its arguments, as an object.")
    ] = None,
    delay: Annotated[
        float | None, typer.Option(min=0, help="Seconds that it must wait at least.")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Higher runs first.")] = None,
    lock_key: Annotated[str | None, typer.Option(help="Instead of the job's own.")] = None,
    queueing_lock: Annotated[
        str | None, typer.Option(help="While a job with the same one waits, do nothing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a job into the queue and return at once."""
    invocation: Invocation = context.obj
    settings = invocation.settings()
    registry = invocation.registry(settings)
    with ready_database(settings) as connection:
        answer = SyncQueueClient(registry, settings).enqueue(
            job,
            parse_arguments(job, arguments),
            delay=None if delay is None else timedelta(seconds=delay),
            priority=priority,
            lock_key=lock_key,
            queueing_lock=queueing_lock,
            connection=connection,
        )
    if as_json:
        print_json({"queue_job_id": answer.queue_job_id, "enqueued": answer.enqueued})
    elif answer.enqueued:
        out.print(f"Enqueued job {job} as {answer.queue_job_id}.")
    else:
        out.print(f"Not enqueued: job {answer.queue_job_id} of this queueing lock still waits.")
