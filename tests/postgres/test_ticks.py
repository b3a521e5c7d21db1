"""The ledger of ticks: unique, never backwards, with a reason where nothing ran."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from queue_worker import JobContext, JobRegistry, every, manual
from queue_worker.queue.fleet import publish_jobs
from queue_worker.schedules import Schedule
from queue_worker.session import Session
from queue_worker.worker.scheduler import MOST_TICKS, Scheduler

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def nothing(ctx: JobContext) -> None: ...


@pytest.fixture
async def session(database: str) -> AsyncIterator[Session]:
    session = Session(database, name="test", connect_timeout=5)
    yield session
    await session.aclose()


def registry(schedule: Schedule, catch_up: int = 1) -> JobRegistry:
    found = JobRegistry()
    declare = found.job(
        "hourly", timeout=timedelta(minutes=1), schedule=schedule, catch_up=catch_up
    )
    declare(nothing)
    return found


async def start(session: Session, jobs: JobRegistry) -> Scheduler:
    """A process starts: it publishes its jobs, and decides their ticks."""
    return Scheduler(jobs, await publish_jobs(session, jobs), session, worker_id=1)


async def scheduler(session: Session, catch_up: int = 1) -> Scheduler:
    """A process whose job has had its schedule for long."""
    jobs = registry(every(hours=1), catch_up)
    await publish_jobs(session, jobs)
    return Scheduler(jobs, {"hourly": LONG_AGO}, session, worker_id=1)


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
    wait = await (await start(session, registry(every(hours=1)))).fire_due_ticks()
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
        await ours._decide(ours._jobs["hourly"], [old], old, old)
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


def age(connection: Any, ago: timedelta) -> None:
    """What was published was published so long before."""
    connection.execute("UPDATE queue_worker.job SET schedule_since = schedule_since - %s", [ago])


async def test_what_was_not_due_under_the_old_schedule_was_not_missed(
    session: Session, connection: Any
) -> None:
    await publish_jobs(session, registry(every(hours=6)))
    age(connection, timedelta(days=1))
    last_seen(connection, timedelta(hours=5))
    await (await start(session, registry(every(hours=1)))).fire_due_ticks()
    assert states(connection) == []
    await (await start(session, registry(every(hours=1)))).fire_due_ticks()
    assert states(connection) == []


async def test_an_outage_is_one_although_the_same_schedule_is_published_again(
    session: Session, connection: Any
) -> None:
    await publish_jobs(session, registry(every(hours=1)))
    age(connection, timedelta(hours=5))
    await (await start(session, registry(every(hours=1)))).fire_due_ticks()
    assert len(states(connection)) == 5


async def test_a_job_that_was_not_scheduled_for_a_while_has_missed_nothing(
    session: Session, connection: Any
) -> None:
    await publish_jobs(session, registry(every(hours=1)))
    age(connection, timedelta(days=1))
    last_seen(connection, timedelta(hours=9))
    await (await start(session, registry(manual()))).fire_due_ticks()
    age(connection, timedelta(hours=8))
    await (await start(session, registry(every(hours=1)))).fire_due_ticks()
    assert states(connection) == []


async def test_in_a_rolling_deploy_the_old_version_finishes_what_was_due(
    session: Session, connection: Any
) -> None:
    """Another schedule is published right after a tick of the old one, and that one again."""
    await publish_jobs(session, registry(every(hours=1)))
    age(connection, timedelta(hours=1))
    old = await start(session, registry(every(hours=1)))
    new = await start(session, registry(every(hours=6)))
    again = await start(session, registry(every(hours=1)))
    for later in (new, again):
        await later.fire_due_ticks()
        assert states(connection) == []
    await old.fire_due_ticks()
    assert len(states(connection)) == 1


async def test_of_a_very_long_outage_every_tick_has_a_row_that_says_why(
    session: Session, connection: Any
) -> None:
    """One row stands for those that are too many to be recorded one by one."""
    last_seen(connection, timedelta(hours=5))
    ours = Scheduler(registry(every(seconds=1)), {"hourly": LONG_AGO}, session, worker_id=1)
    await ours.fire_due_ticks()
    rows = connection.execute(
        "SELECT due_at, state, reason, missed_since FROM queue_worker.tick ORDER BY due_at"
    ).fetchall()
    before, summary, *single = rows
    assert summary[1] == "missed"
    assert summary[2]
    assert summary[3] == before[0]
    assert len(single) == MOST_TICKS
    steps = {b[0] - a[0] for a, b in itertools.pairwise([summary, *single])}
    assert steps == {timedelta(seconds=1)}
    assert [row[3] for row in single] == [None] * MOST_TICKS
    assert single[-1][1] == "enqueued"


async def test_a_worker_of_an_older_version_decides_ticks_as_before(connection: Any) -> None:
    job = {"job": "hourly", "queue": "default", "priority": 0, "lock_key": None}
    answer = connection.execute(
        "SELECT state FROM queue_worker.decide_ticks(%s, ARRAY[now()], ARRAY[now() - interval '1 h'], 1)",
        [Jsonb(job)],
    )
    assert answer.fetchall() == [("enqueued",)]
    assert states(connection) == ["missed", "enqueued"]
