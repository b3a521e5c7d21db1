"""Who is there: workers register, renew their heartbeat and end; jobs are made known."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any, Literal

from psycopg.types.json import Jsonb

from queue_worker.definitions import JobDefinition
from queue_worker.queue.schema import known_level
from queue_worker.registry import JobRegistry
from queue_worker.session import Session

WorkerKind = Literal["worker", "inline"]


async def register_worker(
    session: Session,
    registry: JobRegistry,
    *,
    kind: WorkerKind,
    queues: Sequence[str],
    concurrency: int,
) -> int:
    """Make this process known; returns its worker id."""
    rows = await session.fetch(
        "register_worker",
        {
            "kind": kind,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": version("queue-worker"),
            "registry_digest": registry.digest,
            "queues": list(queues),
            "concurrency": concurrency,
            "jobs": registry.names,
            "level": known_level(),
        },
    )
    worker_id: int = rows[0][0]
    return worker_id


async def end_worker(session: Session, worker_id: int, how: Literal["stopped", "failed"]) -> None:
    """Say that this process has ended, and how."""
    await session.fetch("end_worker", {"worker_id": worker_id, "how": how})


async def publish_jobs(session: Session, registry: JobRegistry) -> dict[str, datetime]:
    """Make the jobs of this registry known to the fleet and to psql.

    Returns for each of them since when it has had its schedule, by the database's clock.
    """
    return dict(await session.fetch("publish_jobs", publication(registry)))


def publication(registry: JobRegistry) -> dict[str, Any]:
    """What `sql/queries/publish_jobs.sql` takes."""
    return {
        "jobs": Jsonb([_describe(job) for job in registry]),
        "registry_digest": registry.digest,
    }


def _describe(job: JobDefinition[Any]) -> dict[str, Any]:
    return {
        "name": job.name,
        "description": job.description,
        "schedule": str(job.schedule),
        "queue": job.queue,
        "priority": job.priority,
        "lock_key": job.lock_key,
        "timeout": job.timeout.total_seconds(),
        "max_attempts": job.retry.attempts if job.retry else 1,
        "restartable": job.restartable,
        "args_schema": job.args.model_json_schema() if job.args else None,
        "owner": job.owner,
        "runbook": job.runbook,
    }
