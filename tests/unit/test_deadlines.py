"""Each run expires when it has lasted as long as it may, and all of them share one timer."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from unittest.mock import patch

import pytest

from queue_worker.execution.deadlines import Deadlines
from tests.support.eventually import eventually_async


class Run:
    """As much of an Execution as has a deadline."""

    def __init__(self, expired: list[Run], started: float = 0.0) -> None:
        self.started = time.monotonic() + started
        self.lasted = 0.0
        self._expired = expired

    def expire(self, timeout: float) -> None:
        self.lasted = time.monotonic() - self.started
        assert self.lasted >= timeout
        self._expired.append(self)


@pytest.fixture
def expired() -> list[Run]:
    return []


@pytest.fixture
def deadlines() -> Any:
    return Deadlines()


async def test_runs_expire_in_the_order_of_their_deadlines(
    deadlines: Any, expired: list[Run]
) -> None:
    runs = {timeout: Run(expired) for timeout in (0.06, 0.02, 0.04, 0.0)}
    for timeout, run in runs.items():
        deadlines.add(run, timeout)
    await eventually_async(lambda: len(expired) == len(runs))
    assert expired == [runs[timeout] for timeout in sorted(runs)]
    assert all(run.lasted < timeout + 1 for timeout, run in runs.items())


async def test_of_one_timeout_each_expires_for_itself(deadlines: Any, expired: list[Run]) -> None:
    runs = [Run(expired, started=-0.03), Run(expired, started=-0.01), Run(expired)]
    for run in runs:
        deadlines.add(run, 0.05)
    await eventually_async(lambda: expired == runs)


async def test_what_is_over_does_not_expire(deadlines: Any, expired: list[Run]) -> None:
    first, second, third = Run(expired), Run(expired), Run(expired)
    for run in (first, second, third):
        deadlines.add(run, 0.02)
    deadlines.discard(first, 0.02)
    deadlines.discard(third, 0.02)
    await eventually_async(lambda: expired)
    deadlines.discard(second, 0.02)  # as a run does that has expired
    deadlines.add(again := Run(expired), 0.02)
    await eventually_async(lambda: len(expired) == 2)
    assert expired == [second, again]


async def test_a_later_run_with_less_time_is_not_kept_waiting(
    deadlines: Any, expired: list[Run]
) -> None:
    deadlines.add(Run(expired), 600)
    deadlines.add(short := Run(expired), 0.01)
    await eventually_async(lambda: expired)
    assert expired == [short]


async def test_a_thousand_runs_set_one_timer(deadlines: Any, expired: list[Run]) -> None:
    with patch.object(asyncio.get_running_loop(), "call_later") as set_timer:
        for _ in range(1_000):
            deadlines.add(run := Run(expired), 600)
            deadlines.discard(run, 600)
        deadlines.add(Run(expired), 600)
    assert set_timer.call_count == 1
