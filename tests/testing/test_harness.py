"""What a test of somebody's jobs may rely on: each assertion fails when it should."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel

from queue_worker import (
    EnqueueRequest,
    JobContext,
    JobRegistry,
    QueueClient,
    RetryPolicy,
    Settings,
    every,
)
from queue_worker.errors import ArgumentsError, QueueWorkerError, RunError, UnknownJobError
from queue_worker.testing import QueueHarness

TEN = timedelta(seconds=10)
DAY = timedelta(days=1)
registry = JobRegistry()
calls: list[str] = []


class Letter(BaseModel):
    to: str
    copies: int = 1


@registry.job("letter", args=Letter, timeout=TEN)
async def letter(ctx: JobContext, args: Letter) -> None:
    calls.append(args.to)


@registry.job("chain", args=Letter, timeout=TEN)
async def chain(ctx: JobContext, args: Letter) -> None:
    calls.append(f"chain {args.copies}")
    if args.copies:
        async with QueueClient(registry, ctx.settings) as queue:
            await queue.enqueue("chain", Letter(to=args.to, copies=args.copies - 1))


@registry.job("flaky", timeout=TEN, retry=RetryPolicy(2, wait=timedelta(hours=1)))
async def flaky(ctx: JobContext) -> None:
    calls.append(f"attempt {ctx.attempt}")
    if ctx.attempt == 1:
        raise ConnectionError("not today")


@registry.job("plain", timeout=TEN)
def plain(ctx: JobContext) -> None:
    if os.getppid() != int(os.environ["TEST_PARENT"]):
        raise RuntimeError("not in a child of the test")


@registry.job("slow", timeout=timedelta(seconds=0.2))
async def slow(ctx: JobContext) -> None:
    await asyncio.sleep(60)


@registry.job("hourly", timeout=TEN, schedule=every(hours=1))
async def hourly(ctx: JobContext) -> None:
    assert ctx.due_at is not None
    calls.append("hourly")


@pytest.fixture
def queue(settings: Settings) -> Iterator[QueueHarness]:
    calls.clear()
    with QueueHarness(registry, settings) as queue:
        yield queue


def test_what_is_enqueued_is_found_by_its_job_and_its_arguments(queue: QueueHarness) -> None:
    queue.enqueue(letter, Letter(to="Ada"), priority=3)
    queue.enqueue("letter", Letter(to="Ada"))
    queue.enqueue(letter, Letter(to="Bob"), delay=DAY)
    assert len(queue.assert_enqueued(letter)) == 3
    first, _ = queue.assert_enqueued("letter", args={"to": "Ada"}, count=2)
    assert (first.job, first.args, first.priority) == ("letter", {"to": "Ada", "copies": 1}, 3)
    (late,) = queue.assert_enqueued(letter, args=Letter(to="Bob"))
    assert late.scheduled_at is not None
    assert [job.job for job in queue.enqueued()] == ["letter"] * 3
    assert queue.enqueued(flaky) == []


def test_arguments_from_sql_are_compared_with_their_defaults(
    queue: QueueHarness, connection: psycopg.Connection[Any]
) -> None:
    connection.execute("""SELECT queue_worker.enqueue('letter', '{"to": "Ada"}')""")
    connection.execute("""SELECT queue_worker.enqueue('letter', '{"from": "Ada"}')""")
    queue.assert_enqueued(letter, args=Letter(to="Ada"), count=1)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"args": Letter(to="Bob")}, "at least one letter with Letter(to='Bob', copies=1) should"),
        ({"args": {"to": "Ada", "copies": 2}}, "0 do"),
        ({"count": 2}, "2 letter should wait in the queue, 1 do"),
        ({"count": 0}, "0 letter should wait in the queue, 1 do"),
    ],
)
def test_what_is_not_enqueued_fails_the_test_and_shows_what_waits(
    queue: QueueHarness, wanted: dict[str, Any], message: str
) -> None:
    queue.enqueue(letter, Letter(to="Ada"))
    with pytest.raises(AssertionError) as failed:
        queue.assert_enqueued(letter, **wanted)
    assert message in str(failed.value)
    assert """\n  letter({"to": "Ada", "copies": 1})""" in str(failed.value)


def test_an_empty_queue_fails_the_test(queue: QueueHarness) -> None:
    with pytest.raises(AssertionError, match=r"0 do\. In the queue: nothing"):
        queue.assert_enqueued(flaky)


def test_a_test_that_asks_for_what_cannot_be_is_told_so(queue: QueueHarness) -> None:
    with pytest.raises(UnknownJobError, match="Did you mean 'letter'"):
        queue.assert_enqueued("leter", count=0)
    with pytest.raises(ArgumentsError, match="to: Field required"):
        queue.assert_enqueued(letter, args={"copies": 1}, count=0)


def test_runs_go_in_order_through_the_real_runner_and_into_the_ledger(
    queue: QueueHarness, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_PARENT", str(os.getpid()))
    queue.enqueue(letter, Letter(to="Ada"))
    queue.enqueue(plain)
    queue.enqueue(slow)
    queue.enqueue(letter, Letter(to="first"), priority=9)
    runs = queue.run_enqueued()
    assert [(run.job, run.outcome) for run in runs] == [
        ("letter", "succeeded"),
        ("letter", "succeeded"),
        ("plain", "succeeded"),
        ("slow", "timed_out"),
    ]
    assert calls == ["first", "Ada"]
    ledger = connection.execute("SELECT job, outcome FROM queue_worker.run ORDER BY finished_at")
    assert ledger.fetchall() == [(run.job, run.outcome) for run in runs]
    assert queue.enqueued() == []
    workers = connection.execute("SELECT DISTINCT kind, ended_how FROM queue_worker.worker")
    assert workers.fetchall() == [("inline", "stopped")]


def test_what_a_run_enqueues_is_run_too_but_not_for_ever(queue: QueueHarness) -> None:
    queue.enqueue(chain, Letter(to="Ada", copies=2))
    assert len(queue.run_enqueued()) == 3
    assert calls == ["chain 2", "chain 1", "chain 0"]
    queue.enqueue(chain, Letter(to="Ada", copies=50))
    with pytest.raises(RunError, match="does a job enqueue itself"):
        queue.run_enqueued(most_runs=4)


def test_many_run_at_once_where_asked_for(settings: Settings) -> None:
    meeting = JobRegistry()
    barrier = asyncio.Barrier(3)

    @meeting.job("meet", timeout=TEN)
    async def meet(ctx: JobContext) -> None:
        await barrier.wait()

    with QueueHarness(meeting, settings) as together:
        for _ in range(3):
            together.enqueue(meet)
        runs = together.run_enqueued(concurrency=3)
    assert [run.outcome for run in runs] == ["succeeded"] * 3


def test_the_clock_makes_a_retry_due_and_not_before_its_time(queue: QueueHarness) -> None:
    queue.enqueue(flaky)
    (run,) = queue.run_enqueued()
    assert (run.outcome, run.error_class, run.retry_wait) == ("failed", "ConnectionError", 3600)
    queue.clock.advance(timedelta(minutes=59))
    assert queue.run_enqueued() == []
    queue.clock.advance(timedelta(minutes=1))
    (run,) = queue.run_enqueued()
    assert run.outcome == "succeeded"
    assert calls == ["attempt 1", "attempt 2"]


def test_the_clock_makes_what_was_delayed_due(queue: QueueHarness) -> None:
    queue.enqueue(letter, Letter(to="Ada"), delay=DAY)
    assert queue.run_enqueued() == []
    queue.clock.advance(DAY)
    assert len(queue.run_enqueued()) == 1


def test_the_clock_goes_one_way(queue: QueueHarness) -> None:
    with pytest.raises(ValueError, match="one way"):
        queue.clock.advance(-DAY)


def test_the_clock_makes_ticks_due_each_once(
    queue: QueueHarness, connection: psycopg.Connection[Any]
) -> None:
    assert queue.fire_due_ticks() == []
    for hours in range(1, 4):
        queue.clock.advance(timedelta(hours=1))
        (fired,) = queue.fire_due_ticks()
        assert fired.due_at is not None
        assert queue.fire_due_ticks() == []
        assert [run.outcome for run in queue.run_enqueued()] == ["succeeded"]
        assert calls == ["hourly"] * hours
    ticks = connection.execute("SELECT count(*), count(DISTINCT due_at) FROM queue_worker.tick")
    assert ticks.fetchone() == (3, 3)


def test_ticks_that_stand_an_hour_apart_move_by_an_hour(
    queue: QueueHarness, connection: psycopg.Connection[Any]
) -> None:
    """One takes the place of the other; which row is moved first is up to the server."""
    connection.execute(
        "INSERT INTO queue_worker.tick (job, due_at, state, queue_job_id) "
        "SELECT 'hourly', timestamptz '2026-01-01' + h * interval '1 hour', 'enqueued', h "
        "FROM generate_series(9, 1, -1) AS h"
    )
    queue.clock.advance(timedelta(hours=1))
    rows = connection.execute("SELECT due_at FROM queue_worker.tick ORDER BY due_at").fetchall()
    assert [(due.astimezone(UTC).day, due.astimezone(UTC).hour) for (due,) in rows] == [
        (1, hour) for hour in range(9)
    ]


def test_ticks_of_a_longer_time_are_as_if_no_worker_had_been_there(
    queue: QueueHarness, connection: psycopg.Connection[Any]
) -> None:
    queue.clock.advance(timedelta(hours=5))
    assert len(queue.fire_due_ticks()) == 1  # the latest: catch_up=1
    states = connection.execute("SELECT state FROM queue_worker.tick ORDER BY due_at").fetchall()
    *missed, (latest,) = states
    assert {state for (state,) in missed} == {"missed"}
    assert len(missed) >= 4
    assert latest in {"backfilled", "enqueued"}  # the latter within a minute of the full hour


async def test_a_coroutine_awaits_and_is_told_so(queue: QueueHarness, settings: Settings) -> None:
    async with QueueClient(registry, settings) as client:
        await client.enqueue_many([EnqueueRequest(job=letter, args=Letter(to="Ada"))])
    with pytest.raises(QueueWorkerError, match="ends in _async"):
        queue.run_enqueued()
    assert [run.outcome for run in await queue.run_enqueued_async()] == ["succeeded"]
    queue.clock.advance(timedelta(hours=1))
    assert len(await queue.fire_due_ticks_async()) == 1


def test_alerts_are_recorded_once_a_window(
    queue: QueueHarness, connection: psycopg.Connection[Any]
) -> None:
    assert queue.alerts() == []
    for _ in range(3):
        queue.enqueue(slow)
    queue.run_enqueued()
    (first,) = queue.alerts()
    assert (first.type, first.job, first.count) == ("JOB_FAILED", "slow", 3)
    queue.enqueue(slow)
    queue.run_enqueued()
    assert queue.alerts() == [first]
    queue.clock.advance(timedelta(seconds=queue.settings.alert_window))
    _, second = queue.alerts()
    assert (second.count, second.held_back) == (4, 1)
    sent = connection.execute("SELECT count(*) FROM queue_worker.alert_delivery").fetchone()
    assert sent == (0,)
