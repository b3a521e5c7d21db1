"""What is due and has no run: seen in the database alone, whoever is left to look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queue_worker import JobContext, JobRegistry, every, manual
from queue_worker.queue.fleet import publish_jobs
from queue_worker.schedules import Schedule
from queue_worker.session import Session
from queue_worker.worker.scheduler import Scheduler
from tests.support.alerts import look, register, tend

HOUR = timedelta(hours=1)


async def nothing(ctx: JobContext) -> None: ...


@pytest.fixture
async def session(database: str) -> AsyncIterator[Session]:
    session = Session(database, name="test", connect_timeout=5)
    yield session
    await session.aclose()


async def start(session: Session, schedule: Schedule) -> Scheduler:
    """A worker starts, and its scheduler looks for the first time."""
    jobs = JobRegistry()
    jobs.job("hourly", timeout=timedelta(minutes=1), schedule=schedule)(nothing)
    scheduler = Scheduler(jobs, await publish_jobs(session, jobs), session, worker_id=1)
    await scheduler.fire_due_ticks()
    return scheduler


def next_due_at(connection: Any) -> datetime | None:
    row = connection.execute("SELECT next_due_at FROM queue_worker.job").fetchone()
    found: datetime | None = row[0]
    return found


def overdue(connection: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = connection.execute(
        "SELECT job, because FROM queue_worker.overdue"
    ).fetchall()
    return found


def let_time_pass(connection: Any, gone: timedelta) -> None:
    """As if what stands there had been written so long before."""
    connection.execute("UPDATE queue_worker.job SET next_due_at = next_due_at - %s", [gone])
    connection.execute("UPDATE queue_worker.job SET schedule_since = schedule_since - %s", [gone])


async def test_a_worker_says_when_a_job_is_due_next(session: Session, connection: Any) -> None:
    await start(session, every(hours=1))
    now = datetime.now(UTC)
    assert next_due_at(connection) == now.replace(minute=0, second=0, microsecond=0) + HOUR
    assert overdue(connection) == []


async def test_without_a_worker_the_job_is_overdue_ten_seconds_after_its_tick(
    session: Session, connection: Any
) -> None:
    await start(session, every(hours=1))
    due = next_due_at(connection)
    assert due is not None
    left = due - datetime.now(UTC)
    let_time_pass(connection, left + timedelta(seconds=5))
    assert overdue(connection) == []
    let_time_pass(connection, timedelta(seconds=6))
    assert overdue(connection) == [("hourly", "no worker was there to decide it")]


async def test_a_worker_that_comes_back_decides_the_tick(session: Session, connection: Any) -> None:
    scheduler = await start(session, every(hours=1))
    let_time_pass(connection, 2 * HOUR)
    assert overdue(connection)
    scheduler._since = {"hourly": datetime.now(UTC) - 2 * HOUR}
    await scheduler.fire_due_ticks()
    assert overdue(connection) == []
    due = next_due_at(connection)
    assert due is not None
    assert due > datetime.now(UTC)


async def test_a_tick_that_an_older_version_has_decided_is_not_overdue(
    session: Session, connection: Any
) -> None:
    """It does not say what comes next, but the ledger of ticks knows."""
    await start(session, every(hours=1))
    let_time_pass(connection, 2 * HOUR)
    connection.execute(
        "INSERT INTO queue_worker.tick (job, due_at, state, reason) VALUES ('hourly', now(), 'missed', 'x')"
    )
    assert overdue(connection) == []


async def test_a_run_that_waits_for_a_minute_is_overdue_until_it_has_begun(
    session: Session, connection: Any
) -> None:
    await start(session, every(hours=1))
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'hourly')"
    )
    connection.execute(
        "INSERT INTO queue_worker.tick (job, due_at, state, queue_job_id, decided_at)"
        " VALUES ('hourly', now() - interval '1 hour', 'backfilled', 1, now() - interval '58 seconds')"
    )
    assert overdue(connection) == []
    connection.execute(
        "UPDATE queue_worker.tick SET decided_at = decided_at - interval '3 seconds'"
    )
    assert overdue(connection) == [("hourly", "it still waits in its queue")]
    connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert overdue(connection) == []


@pytest.mark.parametrize(("kind", "name"), [("job", "hourly"), ("queue", "default")])
async def test_what_is_paused_is_not_overdue_until_it_is_resumed(
    session: Session, connection: Any, kind: str, name: str
) -> None:
    """Neither the tick that nobody decided nor the run that waits: somebody wants it so."""
    await start(session, every(hours=1))
    let_time_pass(connection, 2 * HOUR)
    incidents = "SELECT count(*) FROM queue_worker.incidents WHERE kind = 'overdue'"
    assert len(overdue(connection)) == connection.execute(incidents).fetchone()[0] == 1
    connection.execute(f"SELECT queue_worker.pause_{kind}(%s, 'ada', 'a test')", [name])
    assert overdue(connection) == []
    assert connection.execute(incidents).fetchone() == (0,)
    connection.execute(f"SELECT queue_worker.resume_{kind}(%s, 'ada', 'a test')", [name])
    assert len(overdue(connection)) == connection.execute(incidents).fetchone()[0] == 1


async def test_a_job_that_no_living_worker_knows_is_overdue_for_a_day_and_told_until_retired(
    session: Session, connection: Any
) -> None:
    """The rest of the fleet can't tell one that was taken out from one whose workers are gone."""
    await start(session, every(hours=1))
    let_time_pass(connection, 24 * HOUR)
    register(connection, "hourly", "other")
    assert overdue(connection) == [("hourly", "no worker was there to decide it")]
    assert look(connection) == 1

    connection.execute("UPDATE queue_worker.worker SET jobs = '{other}'")
    assert overdue(connection) == [("hourly", "no living worker knows it")]
    let_time_pass(connection, HOUR)
    assert overdue(connection) == []
    incident = "SELECT kind, subject, remedy FROM queue_worker.incidents"
    ((kind, subject, remedy),) = connection.execute(incident).fetchall()
    assert (kind, subject) == ("unknown", "hourly")
    assert look(connection) == look(connection) == 1
    tend(connection, delivery=None)
    is_open = "SELECT type::text FROM queue_worker.alert WHERE state = 'open' ORDER BY 1"
    assert connection.execute(is_open).fetchall() == [("JOB_MISSED",), ("JOB_UNKNOWN",)]
    connection.execute(remedy)
    assert connection.execute(incident).fetchall() == []
    assert connection.execute(is_open).fetchall() == []
    assert look(connection) == 0


async def test_without_any_worker_a_job_stays_overdue(session: Session, connection: Any) -> None:
    await start(session, every(hours=1))
    register(connection, "other")
    let_time_pass(connection, 48 * HOUR)
    assert overdue(connection) == []
    connection.execute("UPDATE queue_worker.worker SET ended_at = now(), ended_how = 'stopped'")
    assert overdue(connection) == [("hourly", "no worker was there to decide it")]


async def test_a_job_whose_schedule_was_taken_away_is_not_due(
    session: Session, connection: Any
) -> None:
    await start(session, every(hours=1))
    let_time_pass(connection, 2 * HOUR)
    await start(session, manual())
    assert next_due_at(connection) is None
    assert overdue(connection) == []


async def test_in_a_rolling_deploy_only_the_published_schedule_says_what_comes_next(
    session: Session, connection: Any
) -> None:
    old = await start(session, every(minutes=1))
    await start(session, every(hours=24))
    before = next_due_at(connection)
    await old.fire_due_ticks()
    assert next_due_at(connection) == before
