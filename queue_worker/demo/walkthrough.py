"""The main job from events to promotion, step by step, through a real worker."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from queue_worker.database import connect, connect_async
from queue_worker.demo.events import DAYS, load_events, sample_events
from queue_worker.demo.worker import DemoWorker, running_worker
from queue_worker.errors import ContentError, QueueWorkerError
from queue_worker.governance.migrations import migrate
from queue_worker.jobs import first_party
from queue_worker.queue.client import SyncQueueClient
from queue_worker.settings import Settings
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class StepBegun:
    """A step has begun."""

    title: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step has ended; `result` is what it came to."""

    title: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the pipeline made of the events.

    Attributes:
        events: events in the database.
        aggregates: rows of daily aggregates, one a content and day.
        aggregated_events: the sum of their events.
        contents: different contents.
        days: different days.
        signals: what got worse, as (content, kind, baseline, observed, z-score).
        suggestions: what was suggested, as (id, content, kind, summary, state).
    """

    events: int
    aggregates: int
    aggregated_events: int
    contents: int
    days: int
    signals: list[tuple[Any, ...]]
    suggestions: list[tuple[Any, ...]]


Progress = StepBegun | StepEnded | Findings


def walk_through(
    settings: Settings, *, seed: int, log_file: Path
) -> Generator[Progress, None, None]:
    """Migrate, load sample events, and run the pipeline on them; tells of each step.

    Args:
        settings: point at a database without events; what else the demo needs is set here.
        seed: the same seed gives the same events on the same day.
        log_file: where the worker's log goes.

    Raises:
        ContentError: the database has events already; nothing was written.
        QueueWorkerError: a run did not succeed, or the worker died.
    """
    settings = settings.model_copy(update=_SETTINGS)
    client = SyncQueueClient(first_party, settings)
    with connect(settings.direct_dsn, name="queue_worker demo") as connection:
        _claim_database(connection)
        yield StepBegun("migrate")
        applied = migrate(connection)
        yield StepEnded("migrate", f"{len(applied)} files applied")

        yield StepBegun("load events")
        loaded = asyncio.run(_load(connection, settings.direct_dsn, seed))
        yield StepEnded("load events", f"{loaded:,} events of {DAYS} days")

        with running_worker(settings, log_file) as worker:
            for step in _STEPS:
                yield StepBegun(step)
                yield StepEnded(step, _carry_out(client, connection, step, worker))
        yield _read_findings(connection)


_SETTINGS = {
    "app": "queue_worker.jobs:registry",
    "content_generator": "queue_worker.demo.template_generator:generate",
    "dry_run": False,
    "queues": (),
    "log_format": "json",
}
_DECISIONS = {
    "approve suggestions": "demo_approve_all",
    "promote outputs": "demo_promote_all",
}
_STEPS = (
    "analytics_aggregator",
    "signal_generator",
    "insight_engine",
    "approve suggestions",
    "regeneration_worker",
    "promote outputs",
)


def _claim_database(connection: Connection) -> None:
    """Before anything is changed: sample events must not come among those of anybody else."""
    if not _value(connection, "demo_hold_database"):
        raise ContentError("Another demo uses this database. Wait for its end, or use another one.")
    if _value(connection, "demo_has_event_table") and _value(connection, "demo_has_events"):
        raise ContentError(
            "The database has events already, and the demo wants one without. "
            "Create an empty database and point DATABASE_URL at it."
        )


async def _load(connection: Connection, dsn: str, seed: int) -> int:
    today = _value(connection, "demo_read_today")
    async with await connect_async(dsn, name="queue_worker demo") as loading:
        return await load_events(loading, sample_events(today, seed))


def _carry_out(
    client: SyncQueueClient, connection: Connection, step: str, worker: DemoWorker
) -> str:
    if step in _DECISIONS:
        decided = connection.execute(statement(_DECISIONS[step])).fetchall()
        return f"{len(decided)}, by an administrator, with a reason in the audit log"
    answer = client.enqueue(step, connection=connection)
    run = worker.wait_for(connection, answer.queue_job_id)
    return f"run {run['run_id']} {run['outcome']} in {run['duration_ms']:,.0f} ms"


def _read_findings(connection: Connection) -> Findings:
    events, aggregates, aggregated_events, contents, days = _row(connection, "demo_read_totals")
    return Findings(
        events=events,
        aggregates=aggregates,
        aggregated_events=aggregated_events,
        contents=contents,
        days=days,
        signals=connection.execute(statement("demo_read_signals")).fetchall(),
        suggestions=connection.execute(statement("demo_read_suggestions")).fetchall(),
    )


def _value(connection: Connection, name: str) -> Any:  # noqa: ANN401  of any type
    return _row(connection, name)[0]


def _row(connection: Connection, name: str) -> tuple[Any, ...]:
    row = connection.execute(statement(name)).fetchone()
    if row is None:
        raise QueueWorkerError(
            f"The statement {name} returned no row. This is a defect; report it."
        )
    return row
