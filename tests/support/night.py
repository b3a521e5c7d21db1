"""The bad night that docs/PSQL.md shows: it is three o'clock when it has been put into a database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from queue_worker.jobs import first_party
from queue_worker.queue.fleet import publish_jobs
from queue_worker.session import Session
from tests.support.content import add_request, add_suggestion
from tests.support.ledger import add_run, add_tick, add_worker, enqueue

Connection = psycopg.Connection[Any]
SCHEDULES = {
    "analytics_aggregator": ("cron */15 * * * * (UTC)", "-15 minutes"),
    "signal_generator": ("cron 40 * * * * (UTC)", "-40 minutes"),
    "insight_engine": ("cron 13 * * * * (UTC)", "47 minutes"),
}
TRACEBACK = """\
Traceback (most recent call last):
  File "signals.py", line 41, in run
    await fetch(host)
ConnectionError: could not connect to 10.0.0.7"""
FAIL_REQUEST = """
    UPDATE content_pipeline.regeneration_request
       SET state = 'failed', finished_at = now(), error_class = 'E', error_message = 'm'
     WHERE request_id = %s
"""
OUTPUT = """
    INSERT INTO content_pipeline.regeneration_output (request_id, content_id, body, generator)
    VALUES (%s, 'c3', 'text', 'm:g')
"""


@contextmanager
def night(connection: Connection, dsn: str) -> Iterator[datetime]:
    """All rows of it, and the session of the worker that is left; says when three o'clock was."""
    _publish(dsn)
    with connection.transaction():
        row = connection.execute("SELECT now()").fetchone()
        _add_workers(connection)
        _add_schedules(connection)
        _add_history(connection)
        _add_queue(connection)
    _add_content(connection)
    name = "run 2.1 analytics_aggregator"
    with psycopg.connect(dsn, application_name=name, autocommit=True) as session:
        for lock in ("alive.1", "lock.analytics_aggregator"):
            session.execute(f"SELECT pg_advisory_lock(hashtextextended('queue_worker.{lock}', 0))")
        session.execute("REFRESH MATERIALIZED VIEW daily_sales")
        assert row is not None
        yield row[0]


def _publish(dsn: str) -> None:
    async def publish() -> None:
        session = Session(dsn, name="test", connect_timeout=5)
        await publish_jobs(session, first_party)
        await session.aclose()

    asyncio.run(publish())


def _add_workers(connection: Connection) -> None:
    # its heartbeat is from a time to come: however slow the tests are, it is not silent
    add_worker(connection, 1, started_at="3 days", last_heartbeat_at="-1 hour")
    add_worker(
        connection, 2, host="web-2", pid=815, started_at="3 days", queues=["content"],
        last_heartbeat_at="48 minutes", ended_how="lost", ended_at="48 minutes",
    )  # fmt: skip
    connection.execute("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (1)")
    connection.execute("CREATE MATERIALIZED VIEW daily_sales AS SELECT 1")


def _add_schedules(connection: Connection) -> None:
    for job, (schedule, due) in SCHEDULES.items():
        connection.execute(
            "UPDATE queue_worker.job SET schedule = %s, next_due_at = now() - %s::interval WHERE name = %s",
            [schedule, due, job],
        )
    connection.execute(
        "UPDATE queue_worker.job SET owner = 'data team', runbook = 'https://runbooks.example/' || name"
    )


def _add_history(connection: Connection) -> None:
    for number, day in ((11, 5), (12, 3), (13, 1)):
        start, end = f"{day} days 3 hours 4 seconds", f"{day} days 3 hours"
        add_run(connection, number, job="analytics_aggregator", enqueued_at=start, started_at=start, finished_at=end, worker_id=1)  # fmt: skip
    for number, minutes, seconds in ((38, 45, 5), (40, 30, 6), (42, 15, 9)):
        due = f"{minutes} minutes"
        took = f"{minutes} minutes -{seconds + 1} seconds"
        add_run(connection, number, job="analytics_aggregator", due_at=due, enqueued_at=due, started_at=f"{minutes} minutes -1 second", finished_at=took, worker_id=1)  # fmt: skip
    add_run(connection, 31, job="signal_generator", due_at="80 minutes", enqueued_at="80 minutes", started_at="80 minutes", finished_at="79 minutes", worker_id=1)  # fmt: skip
    broken: dict[str, Any] = {
        "job": "signal_generator", "outcome": "failed", "due_at": "20 minutes", "enqueued_at": "20 minutes",
        "error_class": "ConnectionError", "error_message": "could not connect to 10.0.0.7",
        "traceback": TRACEBACK, "worker_id": 1,
    }  # fmt: skip
    add_run(connection, 41, started_at="20 minutes", finished_at="19 minutes 58 seconds", retry_at="19 minutes", **broken)  # fmt: skip
    add_run(connection, 41, attempt=2, started_at="18 minutes 59 seconds", finished_at="18 minutes 56 seconds", **broken)  # fmt: skip
    add_run(connection, 35, job="regeneration_worker", outcome="lost", enqueued_at="50 minutes", started_at="50 minutes", finished_at="48 minutes", error_class="WorkerLost", error_message="worker 2 (web-2, pid 815) died or was cut off while it ran; found by worker 1; not run again", worker_id=2)  # fmt: skip
    add_run(connection, 22, job="insight_engine", due_at="227 minutes", enqueued_at="227 minutes", started_at="227 minutes", finished_at="226 minutes", worker_id=2)  # fmt: skip
    add_tick(connection, "insight_engine", "227 minutes", "enqueued", queue_job_id=22)
    add_tick(connection, "insight_engine", "167 minutes", "missed")
    add_tick(connection, "insight_engine", "107 minutes", "skipped", reason="queue job 29 of this job still waits")  # fmt: skip


def _add_queue(connection: Connection) -> None:
    enqueue(connection, "unheard_of", queue_worker_enqueued_at="9 minutes")
    enqueue(
        connection, "analytics_aggregator", lock="analytics_aggregator", status="doing", worker_id=1,
        queue_worker_enqueued_at="6 minutes", queue_worker_claimed_at="6 minutes",
    )  # fmt: skip
    for minutes in (5, 2):
        enqueue(
            connection, "analytics_aggregator", lock="analytics_aggregator",
            queue_worker_enqueued_at=f"{minutes} minutes",
        )  # fmt: skip
    enqueue(connection, "regeneration_worker", queue_name="content", queue_worker_enqueued_at="45 minutes")  # fmt: skip
    enqueue(connection, "signal_generator", id=41, status="failed", attempts=2)
    enqueue(connection, "signal_generator", scheduled_at="-1 hour")


def _add_content(connection: Connection) -> None:
    add_suggestion(connection, "c1")
    add_suggestion(connection, "c2")
    connection.execute(FAIL_REQUEST, [add_request(connection, "c4")])
    connection.execute(OUTPUT, [add_request(connection, "c3")])
