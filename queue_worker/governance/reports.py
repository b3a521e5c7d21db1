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
    return read_rows(connection, "list_runs", job=job, outcome=outcome, limit=limit)


def list_failures(
    connection: Connection, *, job: str | None = None, hours: int = 24, limit: int = 20
) -> list[Row]:
    """The newest runs that failed, timed out or were lost in the last hours, newest first."""
    return read_rows(connection, "list_failures", job=job, hours=hours, limit=limit)


def list_recent_failures(connection: Connection, *, limit: int = 20) -> list[Row]:
    """What failed in the last day, newest first, with the beginning of the message alone."""
    return read_rows(connection, "list_recent_failures", limit=limit)


def list_workers(connection: Connection) -> list[Row]:
    """The processes that have not ended."""
    return read_rows(connection, "list_workers")


def list_running(connection: Connection) -> list[Row]:
    """What is claimed at this moment."""
    return read_rows(connection, "list_running")


def list_queue_depth(connection: Connection) -> list[Row]:
    """How much waits in each queue."""
    return read_rows(connection, "list_queue_depth")


def list_next_ticks(connection: Connection, *, limit: int = 100) -> list[Row]:
    """Which jobs are due next by their schedules; what is overdue comes first."""
    return read_rows(connection, "list_next_ticks", limit=limit)


def list_pauses(connection: Connection) -> list[Row]:
    """What is paused, and by whom."""
    return read_rows(connection, "list_pauses")


def list_job_health(connection: Connection) -> list[Row]:
    """How each job last went."""
    return read_rows(connection, "list_job_health")


def limit_reading(connection: Connection, seconds: float) -> None:
    """From now on this session only reads, and each of its statements ends after so long."""
    read_rows(connection, "limit_reading", timeout_ms=round(seconds * 1000))


def list_attempts(connection: Connection, queue_job_id: int) -> list[Row]:
    """Every recorded run of one queued job, the last one first."""
    return read_rows(connection, "list_attempts", queue_job_id=queue_job_id)


def read_queued_job(connection: Connection, queue_job_id: int) -> Row | None:
    """The row of a queued job without its arguments; None if there is none, or none any more."""
    return next(iter(read_rows(connection, "read_queued_job", queue_job_id=queue_job_id)), None)


def list_alerts(connection: Connection) -> list[Row]:
    """What is wrong and has not recovered, the oldest first."""
    return read_rows(connection, "list_alerts")


def list_overdue(connection: Connection) -> list[Row]:
    """Jobs that are due by their schedule and have no run."""
    return read_rows(connection, "list_overdue")


def follow_job(connection: Connection, queue_job_id: int | None) -> Row:
    """Where a queued job stands."""
    return read_rows(connection, "follow_job", queue_job_id=queue_job_id)[0]


def error_of(run: Row) -> str | None:
    """The error of a run in one text, or None."""
    return run["error_class"] and f"{run['error_class']}: {run['error_message']}"


def read_rows(connection: Connection, name: str, **parameters: object) -> list[Row]:
    """What the statement of this name returns."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement(name), parameters).fetchall()
