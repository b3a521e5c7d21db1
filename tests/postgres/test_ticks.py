"""The ledger of ticks: unique, never backwards, with a reason where nothing ran."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queue_worker import JobContext, JobRegistry, every
from queue_worker.queue.fleet import publish_jobs
from queue_worker.session import Session
from queue_worker.worker.scheduler import Scheduler


async def nothing(ctx: JobContext) -> None: ...


@pytest.fixture
async def session(database: str) -> AsyncIterator[Session]:
    session = Session(database, name="test", connect_timeout=5)
    yield session
    await session.aclose()


async def scheduler(session: Session, catch_up: int = 1) -> Scheduler:
    registry = JobRegistry()
    registry.job(
        "hourly", timeout=timedelta(minutes=1), schedule=every(hours=1), catch_up=catch_up
    )(nothing)
    await publish_jobs(session, registry)
    return Scheduler(registry, session, worker_id=1)


def last_seen(connection: Any, ago: timedelta) -> None:
    """The newest tick that was decided, so long ago."""
    moment = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - ago
    connection.execute(
        "INSERT INTO queue_worker.tick (job, due_at, state, reason) VALUES ('hourly', %s, 'missed', 'test')",
        [moment],
    )


def states(connection: Any) -> list[str]:
    rows = connection.execute(
        "SELECT state FROM queue_worker.tick WHERE reason IS DISTINCT FROM 'test' ORDER BY due_at"
    )
    return [state for (state,) in rows]


async def test_a_new_job_waits_for_its_first_tick(session: Session, connection: Any) -> None:
    wait = await (await scheduler(session)).fire_due_ticks()
    assert 0 < wait <= 30
    assert states(connection) == []


@pytest.mark.fault("P29")
@pytest.mark.parametrize("catch_up", [0, 1, 3])
async def test_after_an_outage_the_policy_decides_what_is_run(
    session: Session, connection: Any, catch_up: int
) -> None:
    last_seen(connection, timedelta(hours=5))
    await (await scheduler(session, catch_up)).fire_due_ticks()
    found = states(connection)
    assert len(found) == 5
    waiting = connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()[0]
    in_time = datetime.now(UTC).minute == 0
    assert waiting == max(catch_up, 1 if in_time else 0)
    assert found[: 5 - waiting] == ["missed"] * (5 - waiting)


async def test_a_tick_is_decided_once(session: Session, connection: Any) -> None:
    last_seen(connection, timedelta(hours=2))
    both = [await scheduler(session), await scheduler(session)]
    for one in [*both, *both]:
        await one.fire_due_ticks()
    assert len(states(connection)) == 2
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (1,)


@pytest.mark.fault("P6")
async def test_a_confused_worker_cannot_go_back(session: Session, connection: Any) -> None:
    """A clock that jumped back, or a process that slept, fires nothing again."""
    last_seen(connection, timedelta(hours=1))
    ours = await scheduler(session)
    await ours.fire_due_ticks()
    before = states(connection)
    for ago in (1, 2, 24):
        old = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=ago)
        await ours._decide(ours._jobs["hourly"], [old], old)
    assert states(connection) == before


async def test_a_run_that_still_waits_is_not_piled_up_on(session: Session, connection: Any) -> None:
    last_seen(connection, timedelta(hours=2))
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) VALUES ('default', 'hourly', 'hourly')"
    )
    await (await scheduler(session)).fire_due_ticks()
    assert states(connection)[-1] == "skipped"
    reason = connection.execute(
        "SELECT reason FROM queue_worker.tick WHERE state = 'skipped'"
    ).fetchone()
    assert reason == ("queue job 1 of this job still waits",)
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (1,)
