"""`queue-worker enqueue`: put a job into the queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from queue_worker.cli.invocation import (
    Arguments,
    AsJson,
    Invocation,
    JobName,
    parse_arguments,
    ready_database,
)
from queue_worker.cli.output import print_json, say
from queue_worker.queue.client import SyncQueueClient
from queue_worker.registry import load_registry


def _seconds(text: str) -> timedelta:
    try:
        delay = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        delay = timedelta(-1)
    if delay < timedelta(0):
        raise typer.BadParameter("it is no number of seconds from 0 on.")
    return delay


def enqueue(
    context: typer.Context,
    job: JobName,
    *,
    arguments: Arguments = None,
    delay: Annotated[
        timedelta | None,
        typer.Option(parser=_seconds, metavar="SECONDS", help="It must wait at least so long."),
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
    registry = load_registry(settings.app)
    with ready_database(settings) as connection:
        answer = SyncQueueClient(registry, settings).enqueue(
            job,
            parse_arguments(job, arguments),
            delay=delay,
            priority=priority,
            lock_key=lock_key,
            queueing_lock=queueing_lock,
            connection=connection,
        )
    if as_json:
        print_json({"queue_job_id": answer.queue_job_id, "enqueued": answer.enqueued})
    elif answer.enqueued:
        say(f"Enqueued job {job} as {answer.queue_job_id}.")
    else:
        say(f"Not enqueued: job {answer.queue_job_id} of this queueing lock still waits.")
