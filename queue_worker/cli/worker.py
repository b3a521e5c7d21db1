"""`queue-worker worker`: serve queues until stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import Invocation, ready_database
from queue_worker.governance.checks import Moment, log_warning
from queue_worker.housekeeping import load_scheduled_jobs
from queue_worker.observability.logs import configure_logs
from queue_worker.observability.output import logged_output
from queue_worker.worker.garbage import collect_rarely
from queue_worker.worker.loop import new_runner
from queue_worker.worker.process import Worker


def worker(
    context: typer.Context,
    queues: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Queues to serve, separated by commas; otherwise all."),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=1000, metavar="NUMBER", help="How many runs to execute at once."),
    ] = None,
) -> None:
    """Serve queues until stopped: SIGTERM drains, a second one hurries.

    Exits with 0 only after a requested stop.
    """
    invocation: Invocation = context.obj
    settings = invocation.settings(queues=queues, concurrency=concurrency)
    registry = load_scheduled_jobs(settings)
    configure_logs(settings)
    process = Worker(registry, settings)
    with ready_database(settings, Moment.SERVE, log_warning):
        pass
    collect_rarely()
    with logged_output(), new_runner(settings) as runner:
        raise typer.Exit(runner.run(process.run()))
