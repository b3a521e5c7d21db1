"""`queue-worker worker`: serve queues until stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import Invocation, ready_database
from queue_worker.observability.logs import configure_logs
from queue_worker.registry import load_registry
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
    registry = load_registry(settings.app)
    with ready_database(settings):
        configure_logs(settings)
    with new_runner(settings) as runner:
        raise typer.Exit(runner.run(Worker(registry, settings).run()))
