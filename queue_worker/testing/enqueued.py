"""What waits in the queue, as a test sees it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from queue_worker.arguments import dump_arguments
from queue_worker.definitions import JobDefinition
from queue_worker.errors import ArgumentsError
from queue_worker.statements import statement


@dataclass(frozen=True, slots=True)
class EnqueuedJob:
    """A job that waits in the queue.

    Attributes:
        queue_job_id: its id there.
        job: its name.
        args: its arguments, as they stand in the queue.
        queue: the queue it waits in.
        priority: higher runs first.
        lock_key: what its run will exclude others by.
        queueing_lock: what keeps another one from waiting beside it.
        scheduled_at: when it is due; None for at once.
        due_at: the tick that made it due; None on demand.
        attempts: how many runs of it have ended.
    """

    queue_job_id: int
    job: str
    args: dict[str, Any]
    queue: str
    priority: int
    lock_key: str | None
    queueing_lock: str | None
    scheduled_at: datetime | None
    due_at: datetime | None
    attempts: int

    def __str__(self) -> str:
        due = f", due at {self.scheduled_at}" if self.scheduled_at else ""
        return f"{self.job}({json.dumps(self.args, ensure_ascii=False)}{due})"


def read_enqueued(connection: psycopg.Connection[Any]) -> list[EnqueuedJob]:
    """All that waits, in the order in which it was enqueued."""
    with connection.cursor(row_factory=class_row(EnqueuedJob)) as cursor:
        return cursor.execute(statement("testing_read_enqueued")).fetchall()


def has_arguments(found: EnqueuedJob, job: JobDefinition[Any], wanted: str, most: int) -> bool:
    """Whether its arguments are these, as `dump_arguments` writes them: with their defaults."""
    try:
        return dump_arguments(job, found.args, most) == wanted
    except ArgumentsError:  # enqueued from SQL, where they are not checked
        return False


def listed(jobs: Iterable[EnqueuedJob]) -> str:
    """One line for each, for the message of an assertion."""
    return "".join(f"\n  {job}" for job in jobs) or " nothing"
