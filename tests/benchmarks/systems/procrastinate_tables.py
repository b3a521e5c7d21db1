"""Rows for procrastinate's tables, written directly: what both systems on them are filled with."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from tests.benchmarks.systems.base import LOCK_KEY, LOCKED, NOOP

_CHUNK = 20_000  # rows a statement


def fill(connection: psycopg.Connection[Any], jobs: int, kind: str = NOOP) -> None:
    """Waiting jobs, with the event of each; their triggers run, so that workers are notified."""
    _insert(connection, jobs, task=kind, lock=LOCK_KEY if kind == LOCKED else None)


def fill_scheduled(connection: psycopg.Connection[Any], jobs: int) -> None:
    """Jobs that are due tomorrow, of higher priority than any other."""
    _insert(connection, jobs, priority=10, due="now() + interval '1 day'")


def fill_finished(connection: psycopg.Connection[Any], jobs: int) -> None:
    """Succeeded jobs and the three events of each, without the triggers that fire."""
    # Each by its name: what is off must stay so, and ENABLE TRIGGER USER would switch it on.
    firing = connection.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'procrastinate_jobs'::regclass"
        " AND NOT tgisinternal AND tgenabled <> 'D'"
    ).fetchall()
    _switch(connection, sql.SQL("DISABLE"), firing)
    connection.execute(
        "WITH finished AS (INSERT INTO procrastinate_jobs"
        " (queue_name, task_name, status, attempts)"
        " SELECT 'default', %s, 'succeeded', 1 FROM generate_series(1, %s) RETURNING id)"
        " INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, type, now() FROM finished,"
        " unnest('{deferred,started,succeeded}'::procrastinate_job_event_type[]) AS type",
        [NOOP, jobs],
    )
    _switch(connection, sql.SQL("ENABLE"), firing)


def churn(connection: psycopg.Connection[Any], jobs: int) -> None:
    """Waiting jobs that are claimed and closed, by batches of SQL instead of a worker."""
    fill(connection, jobs)
    for status in ("doing", "succeeded"):
        connection.execute(
            "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status"
            " WHERE status IN ('todo', 'doing')",
            [status],
        )


def unfinished(connection: psycopg.Connection[Any]) -> bool:
    """Whether a job that is due waits or runs."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing')"
        " OR EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo'"
        " AND (scheduled_at IS NULL OR scheduled_at <= now()))"
    ).fetchone()
    return bool(row and row[0])


def finished(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Jobs that have succeeded by the queue, and by each of its events."""
    rows = connection.execute(
        "SELECT 'queue', count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"
        " UNION ALL SELECT 'events: ' || wanted, count(event.id)"
        " FROM unnest('{deferred,started,succeeded}'::procrastinate_job_event_type[]) AS wanted"
        " LEFT JOIN procrastinate_events AS event ON event.type = wanted GROUP BY wanted"
    ).fetchall()
    return {str(name): int(number) for name, number in rows}


def _switch(connection: psycopg.Connection[Any], verb: sql.SQL, triggers: list[tuple[str]]) -> None:
    for (name,) in triggers:
        trigger = sql.Identifier(name)
        connection.execute(
            sql.SQL("ALTER TABLE procrastinate_jobs {} TRIGGER {}").format(verb, trigger)
        )


def _insert(
    connection: psycopg.Connection[Any],
    jobs: int,
    *,
    task: str = NOOP,
    lock: str | None = None,
    priority: int = 0,
    due: str = "NULL",
) -> None:
    for begin in range(0, jobs, _CHUNK):
        connection.execute(
            "INSERT INTO procrastinate_jobs"
            " (queue_name, task_name, lock, priority, scheduled_at)"
            f" SELECT 'default', %s, %s, {priority}, {due} FROM generate_series(1, %s)",
            [task, lock, min(_CHUNK, jobs - begin)],
        )
