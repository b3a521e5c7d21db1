"""Rows for what reads: runs in the ledger, jobs in the queue, workers, ticks."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]


def add_run(connection: Connection, queue_job_id: int, **columns: Any) -> None:
    """A run; times are texts such as '5 minutes' ago, or left out for now."""
    row = {
        "queue_job_id": queue_job_id, "attempt": 1, "job": "noop", "outcome": "succeeded",
        "queue": "default", "enqueued_by": "ada", **columns,
    }  # fmt: skip
    for name in ("enqueued_at", "started_at", "finished_at"):
        row.setdefault(name, "0 s")
    if row["outcome"] not in {"succeeded", "dry_run"}:
        row.setdefault("error_class", "ValueError")
        row.setdefault("error_message", "no good")
    _insert(
        connection,
        "run",
        row,
        ago=("due_at", "enqueued_at", "started_at", "finished_at", "retry_at"),
    )


def add_worker(connection: Connection, worker_id: int = 1, **columns: Any) -> None:
    """A worker without a process."""
    row = {
        "worker_id": worker_id, "kind": "worker", "host": "web-1", "pid": 4711, "version": "0.1.0",
        "registry_digest": "d", "queues": [], "concurrency": 10, **columns,
    }  # fmt: skip
    _insert(connection, "worker", row, ago=("started_at", "last_heartbeat_at", "ended_at"))


def add_job(connection: Connection, name: str, **columns: Any) -> None:
    """A job that a worker has declared."""
    row = {
        "name": name, "description": "for a test", "schedule": "manual", "queue": "default",
        "priority": 0, "timeout": "1 minute", "max_attempts": 1, "restartable": False,
        "owner": "ada", "runbook": f"https://runbooks.example/{name}", "registry_digest": "d",
        **columns,
    }  # fmt: skip
    _insert(connection, "job", row, ago=("next_due_at",))


def add_tick(connection: Connection, job: str, due_at: str, state: str, **columns: Any) -> None:
    """A tick that was decided when it was due, so long ago."""
    row = {"job": job, "due_at": due_at, "decided_at": due_at, "state": state, **columns}
    if state in {"missed", "skipped"}:
        row.setdefault("reason", "no worker was there in time")
    _insert(connection, "tick", row, ago=("due_at", "decided_at"))


def enqueue(connection: Connection, task: str = "noop", **columns: Any) -> int:
    """A row of the queue."""
    row = {"task_name": task, "queue_name": "default", **columns}
    ago = ("scheduled_at", "queue_worker_enqueued_at", "queue_worker_claimed_at", "queue_worker_due_at")  # fmt: skip
    text, values = _insertion(sql.Identifier("procrastinate_jobs"), row, ago)
    found = connection.execute(text + sql.SQL(" RETURNING id"), values).fetchone()
    assert found is not None
    return int(found[0])


def _insert(
    connection: Connection, table: str, row: dict[str, Any], ago: tuple[str, ...] = ()
) -> None:
    connection.execute(*_insertion(sql.Identifier("queue_worker", table), row, ago))


def _insertion(
    table: sql.Composable, row: dict[str, Any], ago: tuple[str, ...]
) -> tuple[sql.Composed, list[Any]]:
    """Columns named in `ago` are given as how long ago."""
    values = [
        sql.SQL("now() - %s::text::interval") if name in ago else sql.SQL("%s") for name in row
    ]
    text = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        table, sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(values)
    )
    return text, list(row.values())
