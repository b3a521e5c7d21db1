"""What the tests of alerts do to a database: record runs, look, tend, read what is told."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from queue_worker.observability.alerts.message import AlertMessage

_ids = itertools.count(1)
DELIVERY = Jsonb(
    {"job": "queue_worker.deliver_alerts", "queue": "queue_worker", "priority": 0,
     "queueing_lock": "queue_worker.deliver_alerts", "args": {}}
)  # fmt: skip


def record(connection: Any, job: str, outcome: str = "failed", **more: Any) -> str:
    """Write a run into the ledger; returns its id."""
    row = {
        "queue_job_id": next(_ids), "attempt": 1, "job": job, "outcome": outcome, "queue": "default",
        "error_class": None if outcome == "succeeded" else "ValueError",
        "error_message": None if outcome == "succeeded" else "boom", "retry_at": None, **more,
    }  # fmt: skip
    (run_id,) = connection.execute(
        """
        INSERT INTO queue_worker.run (
            queue_job_id, attempt, job, outcome, queue, enqueued_at, enqueued_by, started_at,
            finished_at, error_class, error_message, retry_at)
        VALUES (%(queue_job_id)s, %(attempt)s, %(job)s, %(outcome)s, %(queue)s, clock_timestamp(), 'me',
            clock_timestamp(), clock_timestamp(), %(error_class)s, %(error_message)s, %(retry_at)s)
        RETURNING run_id
        """,
        row,
    ).fetchone()
    return str(run_id)


def register(connection: Any, *jobs: str) -> None:
    """A worker lives that knows these jobs."""
    connection.execute(
        "INSERT INTO queue_worker.worker (worker_id, kind, host, pid, version, registry_digest, queues,"
        " concurrency, jobs) SELECT worker_id, 'worker', 'h', 1, '0', 'x', '{}', 1, %s"
        " FROM procrastinate_register_worker_v1()",
        [list(jobs)],
    )


def tend(
    connection: Any,
    *,
    window: float = 600,
    storm: int = 10,
    sinks: Any = ("log",),
    delivery: Jsonb | None = DELIVERY,
) -> int:
    """Fold what was found; returns how many messages that made."""
    row = connection.execute(
        "SELECT queue_worker.tend_alerts(%s, %s, %s, %s)",
        [timedelta(seconds=window), storm, list(sinks), delivery],
    ).fetchone()
    return int(row[0])


def look(connection: Any, *, lagging: float = 0.0, snapshot: float = 3600) -> int:
    """Look for what is wrong, with no patience but for what is named; in seconds."""
    row = connection.execute(
        "SELECT queue_worker.look_for_alerts(%s, '0', '0', %s)",
        [timedelta(seconds=lagging), timedelta(seconds=snapshot)],
    ).fetchone()
    return int(row[0])


def messages(connection: Any) -> list[tuple[Any, ...]]:
    """What is told: kind, fingerprint, count and how many were held back, in order."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT kind, fingerprint, count, held_back FROM queue_worker.alert_message ORDER BY at, fingerprint"
    ).fetchall()
    return rows


def end_windows(connection: Any) -> None:
    connection.execute("UPDATE queue_worker.alert SET window_ends_at = clock_timestamp()")


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(**changes: Any) -> AlertMessage:
    facts: dict[str, Any] = {
        "id": "00000000-0000-0000-0000-000000000001", "kind": "raised", "type": "JOB_FAILED",
        "fingerprint": "JOB_FAILED:a", "job": "a", "subject": "a", "summary": "boom", "run_id": "7.1",
        "at": NOW, "first_seen_at": NOW, "last_seen_at": NOW, "count": 12_000, "held_back": 9_999,
        "owner": "ada", "runbook": "docs/a.md", "command": "queue-worker show 7.1",
    }  # fmt: skip
    return AlertMessage(**facts | changes)
