"""`queue-worker status`: workers, queues, what is paused, what runs, how each job last went."""

from __future__ import annotations

import typer

from queue_worker.cli.invocation import AsJson, Invocation, readable_database
from queue_worker.cli.output import print_json, print_table
from queue_worker.governance import reports

_WORKERS = ("worker_id", "state", "kind", "host", "pid", "runs", "version", "queues")
_QUEUES = ("queue", "due", "later", "oldest_due_for")
_PAUSED = ("kind", "name", "actor", "paused_at", "reason")
_RUNNING = ("run_id", "job", "running_for", "worker_id", "lock_key")
_JOBS = ("job", "last_outcome", "last_finished_at", "last_succeeded_at")


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show workers, queues, what runs now, and how each job last went."""
    invocation: Invocation = context.obj
    with readable_database(invocation.settings()) as connection:
        workers = reports.list_workers(connection)
        queues = reports.list_queue_depth(connection)
        paused = reports.list_pauses(connection)
        running = reports.list_running(connection)
        health = reports.list_job_health(connection)
    if as_json:
        print_json(
            {
                "workers": workers,
                "queues": queues,
                "paused": paused,
                "running": running,
                "jobs": health,
            }
        )
        return
    print_table("Workers", _WORKERS, workers)
    print_table("Queues", _QUEUES, queues)
    print_table("Paused", _PAUSED, paused)
    print_table("Running", _RUNNING, running)
    print_table("Jobs", _JOBS, health)
