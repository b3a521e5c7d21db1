"""`queue-worker jobs`: what the registry and the plugins declare."""

from __future__ import annotations

import typer

from queue_worker.cli.invocation import AsJson, Invocation
from queue_worker.cli.output import print_json, print_table
from queue_worker.housekeeping import load_sources

_COLUMNS = ("name", "schedule", "queue", "timeout", "source", "description")


def jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the jobs that a process knows, and where each comes from."""
    invocation: Invocation = context.obj
    rows = [
        {
            "name": job.name,
            "schedule": str(job.schedule),
            "queue": job.queue,
            "lock_key": job.lock_key,
            "timeout": job.timeout,
            "attempts": job.retry.attempts if job.retry else 1,
            "kind": "async def" if job.is_async else "def, in a child process",
            "owner": job.owner,
            "runbook": job.runbook,
            "description": job.description,
            "source": source,
        }
        for source, jobs in load_sources(
            invocation.registry_path, invocation.plugins, invocation.known_settings
        ).items()
        for job in jobs
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(f"Jobs of {invocation.registry_path}", _COLUMNS, rows)
