"""What the database knows, as rows with names: for the command line and for programs."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from queue_worker.statements import statement

Row = dict[str, Any]
Connection = psycopg.Connection[tuple[Any, ...]]


def list_runs(
    connection: Connection, *, job: str | None = None, outcome: str | None = None, limit: int = 20
) -> list[Row]:
    """The newest runs of the ledger, newest first."""
    return _read(connection, "list_runs", job=job, outcome=outcome, limit=limit)


def list_workers(connection: Connection) -> list[Row]:
    """The processes that have not ended."""
    return _read(connection, "list_workers")


def list_running(connection: Connection) -> list[Row]:
    """What is claimed at this moment."""
    return _read(connection, "list_running")


def list_queue_depth(connection: Connection) -> list[Row]:
    """How much waits in each queue."""
    return _read(connection, "list_queue_depth")


def list_job_health(connection: Connection) -> list[Row]:
    """How each job last went."""
    return _read(connection, "list_job_health")


def list_alerts(connection: Connection) -> list[Row]:
    """What is wrong and has not recovered, the oldest first."""
    return _read(connection, "list_alerts")


def list_overdue(connection: Connection) -> list[Row]:
    """Jobs that are due by their schedule and have no run."""
    return _read(connection, "list_overdue")


def follow_job(connection: Connection, queue_job_id: int | None) -> Row:
    """Where a queued job stands."""
    return _read(connection, "follow_job", queue_job_id=queue_job_id)[0]


def _read(connection: Connection, name: str, **parameters: object) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement(name), parameters).fetchall()
