"""The commands, each in a file of its own, and the options that all of them share."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli import (
    alerts,
    audit,
    cancel,
    check,
    demo,
    enqueue,
    failures,
    jobs,
    migrate,
    pause,
    release_lock,
    retention,
    retire,
    retry,
    run,
    runs,
    show,
    status,
    timeline,
    top,
    worker,
)
from queue_worker.cli.invocation import Invocation

app = typer.Typer(
    name="queue-worker",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Hardened background jobs on nothing but Postgres. `DATABASE_URL` says where.",
)


@app.callback()
def options(
    context: typer.Context,
    registry: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="PACKAGE.MODULE:REGISTRY",
            help="The registry of jobs; otherwise `QUEUE_WORKER_APP`, or the first-party jobs.",
        ),
    ] = None,
) -> None:
    """Options for every command."""
    context.obj = Invocation(registry)


app.command()(migrate.migrate)
app.command()(check.check)
app.command()(worker.worker)
app.command()(jobs.jobs)
app.command()(enqueue.enqueue)
app.command()(run.run)
app.command()(runs.runs)
app.command()(failures.failures)
app.command()(show.show)
app.command()(status.status)
app.command()(top.top)
app.command()(timeline.timeline)
app.command()(alerts.alerts)
app.command()(pause.pause)
app.command()(pause.resume)
app.command()(retire.retire)
app.command()(cancel.cancel)
app.command()(retry.retry)
app.command()(retry.requeue_lost)
app.command()(release_lock.release_lock)
app.add_typer(audit.app, name="audit")
app.add_typer(retention.app, name="retention")
app.command()(demo.demo)
