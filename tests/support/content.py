"""Running the content jobs in a test, and what they should have made of the events."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.settings import Settings

Connection = psycopg.Connection[Any]
Event = tuple[datetime, str, str, str, Any]

_NAMED = {"view": "views", "complete": "completions", "score": "scores", "drop_off": "drop_offs"}
_AGGREGATE_COLUMNS = (
    "content_id, day, events, learners, value_sum, views, completions, scores, score_sum, "
    "score_squares, drop_offs, others"
)


def context_for(job: JobDefinition[Any], settings: Settings) -> JobContext:
    """A run of this job that has just begun."""
    return JobContext(
        job=job.name,
        run_id="1.1",
        attempt=1,
        queue=job.queue,
        lock_key=job.lock_key,
        due_at=None,
        enqueued_at=datetime.now(UTC),
        timeout=job.timeout.total_seconds(),
        started=time.monotonic(),
        settings=settings,
    )


def carry_out(job: JobDefinition[Any], settings: Settings, **args: Any) -> None:
    """Call the job's function once, as the runner does."""
    values = [] if job.args is None else [job.args(**args)]
    answer = job.function(context_for(job, settings), *values)
    if inspect.isawaitable(answer):
        asyncio.run(_wait_for(answer))


async def _wait_for(answer: Any) -> None:
    await answer


def add_events(connection: Connection, events: Iterable[Event]) -> None:
    """Write events in one COPY."""
    with connection.cursor() as cursor, cursor.copy(
        "COPY content_pipeline.analytics_event "
        "(occurred_at, content_id, learner_id, event_type, value) FROM STDIN"
    ) as copy:  # fmt: skip
        for event in events:
            copy.write_row(event)


def rows_of(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    """Every row of a table with every column, in a fixed order."""
    query = sql.SQL("SELECT * FROM content_pipeline.{} AS t ORDER BY t::text").format(
        sql.Identifier(table)
    )
    return connection.execute(query).fetchall()


def aggregates_in(connection: Connection) -> dict[tuple[str, date], tuple[Any, ...]]:
    """The numbers of every aggregate, by (content, day)."""
    rows = connection.execute(
        sql.SQL("SELECT {} FROM content_pipeline.analytics_daily_aggregate").format(
            sql.SQL(_AGGREGATE_COLUMNS)
        )
    )
    return {(row[0], row[1]): tuple(row[2:]) for row in rows}


def aggregates_of(events: Iterable[Event]) -> dict[tuple[str, date], tuple[Any, ...]]:
    """The same, counted in plain Python from the events themselves."""
    days = defaultdict(list)
    for event in events:
        days[event[1], event[0].astimezone(UTC).date()].append(event)
    return {key: _count(found) for key, found in days.items()}


def _count(events: list[Event]) -> tuple[Any, ...]:
    learners = {learner for _, _, learner, _, _ in events}
    values = [Decimal(str(value)) for *_, value in events if value is not None]
    scores = [Decimal(str(value)) for *_, kind, value in events if kind == "score"]
    number = dict.fromkeys(_NAMED.values(), 0) | {"others": 0}
    for *_, kind, _ in events:
        number[_NAMED.get(kind, "others")] += 1
    return (
        len(events), len(learners), sum(values), number["views"], number["completions"],
        number["scores"], sum(scores), sum(s * s for s in scores), number["drop_offs"],
        number["others"],
    )  # fmt: skip


def add_aggregates(
    connection: Connection, content_id: str, days: dict[date, dict[str, int]]
) -> None:
    """Write aggregates as if events had been counted; a day gives the numbers that matter."""
    for day, given in days.items():
        numbers = {"views": 0, "completions": 0, "scores": 0, "drop_offs": 0} | given
        events = sum(numbers[name] for name in ("views", "completions", "scores", "drop_offs"))
        connection.execute(
            """
            INSERT INTO content_pipeline.analytics_daily_aggregate
            VALUES (%(content_id)s, %(day)s, %(events)s, %(learners)s, %(score_sum)s, %(views)s,
                    %(completions)s, %(scores)s, %(score_sum)s, %(score_squares)s, %(drop_offs)s, 0)
            """,
            {"learners": events, "score_sum": 0, "score_squares": 0}
            | numbers
            | {"content_id": content_id, "day": day, "events": events},
        )


def add_suggestion(connection: Connection, content_id: str = "c1") -> int:
    """An open suggestion with some evidence."""
    row = connection.execute(
        """
        INSERT INTO content_pipeline.content_suggestion (content_id, kind, summary, evidence)
        VALUES (%s, 'falling_score', 'falling score', '[{"z_score": 5}]') RETURNING suggestion_id
        """,
        [content_id],
    ).fetchone()
    assert row
    return int(row[0])


def add_request(connection: Connection, content_id: str = "c1") -> int:
    """A waiting request of an approved suggestion."""
    row = connection.execute(
        "SELECT content_pipeline.approve_suggestion(%s, 'ada', 'looks right')",
        [add_suggestion(connection, content_id)],
    ).fetchone()
    assert row
    return int(row[0])


@contextmanager
def killed_at_commit(connection: Connection, table: str) -> Iterator[None]:
    """Whoever changes this table is disconnected by the server in the moment of its commit."""
    connection.execute(
        """
        CREATE FUNCTION public.kill_me() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$
        """
    )
    connection.execute(
        sql.SQL(
            "CREATE CONSTRAINT TRIGGER kill_me AFTER INSERT OR UPDATE ON content_pipeline.{} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.kill_me()"
        ).format(sql.Identifier(table))
    )
    try:
        yield
    finally:
        connection.execute("DROP FUNCTION public.kill_me CASCADE")
