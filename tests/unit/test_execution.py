"""A run that is cancelled a second time: what it ends as, and how much time it has left."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

import pytest

from queue_worker.execution import execution as module
from queue_worker.execution.execution import Execution
from queue_worker.execution.failure import Failure
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim
from tests.support.eventually import eventually_async

STOPPED = Failure("WorkerStopped", "stopped")
LOST = Failure("LockSessionLost", "its lock is gone")
CLAIM = Claim(
    queue_job_id=1,
    attempt=1,
    job="job",
    queue="default",
    priority=0,
    lock_key="key",
    arguments="{}",
    due_at=None,
    enqueued_at=datetime.now(UTC),
    claimed_at=datetime.now(UTC),
    restarts=0,
    losses=0,
    trace=None,
    received=time.monotonic(),
)


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LAST_PATIENCE", 0.05)


@pytest.fixture
async def stubborn() -> AsyncIterator[Begin]:
    """Begins such runs, and lets them end also where a test has failed."""
    begun: list[Stubborn] = []

    def begin(grace: float) -> Stubborn:
        begun.append(Stubborn(grace))
        return begun[-1]

    yield begin
    for run in begun:
        await run.end()


class Stubborn:
    """A run that swallows every cancellation, and counts them."""

    def __init__(self, grace: float) -> None:
        self.cancellations = 0
        self.given_up: list[float] = []
        self._grace = grace
        self._ready = asyncio.Event()
        self._done = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def start(self) -> Execution:
        await self._ready.wait()
        return self.execution

    async def end(self) -> int:
        """Let it end; returns how often its task still counts as cancelled."""
        self._done.set()
        await self._task
        return self._task.cancelling()

    async def _run(self) -> None:
        self.execution = Execution(
            CLAIM, grace=self._grace, on_given_up=lambda _: self.given_up.append(time.monotonic())
        )
        self.execution.begin()
        self._ready.set()
        while not self._done.is_set():
            with self._counted():
                await self._done.wait()
        self.execution.end()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            self.cancellations += 1


Begin = Callable[[float], Stubborn]


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_softer_second_cancellation_changes_nothing(stubborn: Begin) -> None:
    run = stubborn(0.2)
    execution = await run.start()
    execution.cancel(Outcome.TIMED_OUT, STOPPED)
    await settle()
    began = time.monotonic()
    execution.cancel(Outcome.CANCELLED, STOPPED, grace=10)
    await settle()
    assert execution.verdict == (Outcome.TIMED_OUT, STOPPED)
    assert run.cancellations == 1
    await eventually_async(lambda: run.given_up)
    assert run.given_up[0] - began < 1
    assert await run.end() == 0


async def test_lost_outweighs_what_came_first_and_leaves_no_time(stubborn: Begin) -> None:
    run = stubborn(60)
    execution = await run.start()
    execution.cancel(Outcome.TIMED_OUT, STOPPED)
    await settle()
    execution.cancel(Outcome.LOST, LOST, grace=0)
    execution.cancel(Outcome.TIMED_OUT, STOPPED, grace=0)
    await settle()
    assert execution.verdict == (Outcome.LOST, LOST)
    assert execution.grace == 0
    assert run.cancellations == 2
    await eventually_async(lambda: run.given_up)
    assert await run.end() == 0
    assert len(run.given_up) == 1


async def test_lost_without_haste_keeps_the_time_that_is_left(stubborn: Begin) -> None:
    run = stubborn(0.3)
    execution = await run.start()
    execution.cancel(Outcome.CANCELLED, STOPPED)
    await settle()
    execution.cancel(Outcome.LOST, LOST, grace=60)
    await settle()
    assert execution.verdict == (Outcome.LOST, LOST)
    assert run.cancellations == 1
    assert execution.grace <= 0.3
    assert await run.end() == 0


async def test_what_was_given_up_stays_as_it_was_closed(stubborn: Begin) -> None:
    run = stubborn(0)
    execution = await run.start()
    execution.cancel(Outcome.TIMED_OUT, STOPPED)
    await eventually_async(lambda: run.given_up)
    execution.cancel(Outcome.LOST, LOST, grace=0)
    await settle()
    assert execution.verdict == (Outcome.TIMED_OUT, STOPPED)
    assert len(run.given_up) == 1
    assert await run.end() == 0
