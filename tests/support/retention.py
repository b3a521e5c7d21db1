"""Old rows for retention to find, and a short way to let it go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from queue_worker.governance.retention.apply import Pace, apply_plan
from queue_worker.governance.retention.plan import Plan, make_plan, store_plan
from queue_worker.governance.retention.policies import publish_policies
from queue_worker.governance.retention.policy import RetentionPolicy
from queue_worker.jobs import analytics_aggregator
from queue_worker.schemas import schema_names
from queue_worker.settings import Settings
from tests.support.content import Event, add_events, add_request, carry_out

Connection = psycopg.Connection[Any]

_HERE = schema_names()
KEPT_TABLES = (
    f"{_HERE.content}.content_suggestion",
    f"{_HERE.content}.regeneration_output",
    f"{_HERE.content}.published_output",
    f"{_HERE.ours}.audit_log",
)
QUICK = Pace(pause=0, lock_timeout=0.05, patience=1.0)


def midnight(days_ago: float) -> datetime:
    """A UTC midnight, so many days before today."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days_ago)


def view(at: datetime, learner: str = "l1", content: str = "c1") -> Event:
    return (at, content, learner, "view", None)


def add_counted(connection: Connection, settings: Settings, events: Iterable[Event]) -> None:
    """Events that the aggregates hold."""
    add_events(connection, events)
    carry_out(analytics_aggregator.job, settings)


def moments(connection: Connection) -> list[datetime]:
    """When the events that are left occurred."""
    rows = connection.execute(
        "SELECT occurred_at FROM content_pipeline.analytics_event ORDER BY occurred_at, id"
    )
    return [moment.astimezone(UTC) for (moment,) in rows]


def planned(connection: Connection, policies: Sequence[RetentionPolicy]) -> Plan:
    """A stored plan of published policies."""
    publish_policies(connection, policies)
    return store_plan(connection, make_plan(connection, policies))


def applied(
    connection: Connection,
    plan: Plan,
    policies: Sequence[RetentionPolicy],
    pace: Pace = QUICK,
    **options: Any,
) -> Plan:
    return apply_plan(
        connection, plan.number, policies, actor="ada", reason="a test", pace=pace, **options
    )


def add_queue_row(connection: Connection, status: str, ended_days_ago: float | None) -> int:
    """A queue row, enqueued long ago; with its run in the ledger if it has ended."""
    row = connection.execute(
        """
        INSERT INTO procrastinate_jobs (queue_name, task_name, status, queue_worker_enqueued_at)
        VALUES ('default', 'a', %s, now() - interval '300 days') RETURNING id
        """,
        [status],
    ).fetchone()
    assert row
    if ended_days_ago is not None:
        add_run(connection, row[0], ended_days_ago)
    return int(row[0])


def add_run(connection: Connection, queue_job_id: int, ended_days_ago: float) -> None:
    connection.execute(
        """
        INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,
                                      enqueued_by, started_at, finished_at)
        VALUES (%s, 1, 'a', 'succeeded', 'default', %s, 'ada', %s, %s)
        """,
        [queue_job_id, *[datetime.now(UTC) - timedelta(days=ended_days_ago)] * 3],
    )


def add_signal(connection: Connection, window_end: str, content_id: str = "c1") -> None:
    connection.execute(
        """
        INSERT INTO content_pipeline.analytics_signal
            (content_id, kind, window_start, window_end, observed, baseline, observed_samples,
             baseline_samples)
        VALUES (%s, 'falling_score', %s, %s, 1, 2, 3, 4)
        """,
        [content_id, window_end, window_end],
    )


def add_history(connection: Connection) -> None:
    """A row of a hundred years ago in each table that is kept for ever."""
    connection.execute(
        """
        INSERT INTO content_pipeline.regeneration_output (request_id, content_id, body, generator, generated_at)
        VALUES (%s, 'c1', 'text', 'm:g', '1926-01-01')
        """,
        [add_request(connection)],
    )
    connection.execute("SELECT content_pipeline.promote_output(1, 'ada', 'read it')")


def rows_kept(connection: Connection) -> dict[str, set[str]]:
    """All rows of the tables that are kept for ever, as text."""
    return {
        table: {text for (text,) in connection.execute(f"SELECT t::text FROM {table} AS t")}
        for table in KEPT_TABLES
    }
