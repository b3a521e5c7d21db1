"""`queue-worker jobs`: what this registry declares."""

from __future__ import annotations

import typer

from queue_worker.cli.invocation import AsJson, Invocation
from queue_worker.cli.output import print_json, print_table
from queue_worker.registry import load_registry

_COLUMNS = ("name", "schedule", "queue", "timeout", "description")


def jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the jobs of the registry."""
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
        }
        for job in load_registry(invocation.registry_path)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(f"Jobs of {invocation.registry_path}", _COLUMNS, rows)
