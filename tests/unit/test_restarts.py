"""What was cut off and given back is charged to no policy, and not given back for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queue_worker import JobContext, JobRegistry, RetryPolicy
from queue_worker.definitions import JobDefinition
from queue_worker.execution.execution import Execution
from queue_worker.execution.failure import Failure
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.execution.runner import MOST_LOSSES, _judge

registry = JobRegistry()


@registry.job(
    "job",
    timeout=timedelta(minutes=1),
    restartable=True,
    retry=RetryPolicy(3, wait=timedelta(seconds=10), factor=2),
)
async def job(ctx: JobContext) -> None: ...


def definition() -> JobDefinition[Any]:
    return registry.get("job")


def judged(
    attempt: int, *, restarts: int = 0, losses: int = 0, verdict: Outcome | None = None
) -> EndedRun:
    now = datetime.now(UTC)
    claim = Claim(
        1, attempt, "job", "default", 0, None, "{}", None, now, now, restarts, losses, None, 0
    )
    execution = Execution(claim, grace=1, on_given_up=lambda _: None)
    execution.verdict = verdict and (verdict, Failure("E", "cut off"))
    return _judge(definition(), execution, None if verdict else ValueError())


async def test_a_retry_is_charged_only_for_what_failed() -> None:
    assert judged(1).retry_wait == 10
    assert judged(4, restarts=3).retry_wait == 10
    assert judged(5, restarts=3).retry_wait == 20
    assert judged(6, restarts=3).retry_wait is None
    assert judged(3).retry_wait is None


@pytest.mark.parametrize("outcome", [Outcome.LOST, Outcome.CANCELLED])
async def test_what_was_cut_off_is_given_back_at_once(outcome: Outcome) -> None:
    assert judged(9, restarts=8, verdict=outcome).retry_wait == 0


async def test_what_is_lost_again_and_again_is_quarantined() -> None:
    assert judged(2, restarts=1, losses=MOST_LOSSES - 2, verdict=Outcome.LOST).retry_wait == 0
    last = judged(3, restarts=2, losses=MOST_LOSSES - 1, verdict=Outcome.LOST)
    assert last.retry_wait is None
    assert last.outcome is Outcome.LOST
    assert last.error_class == "Quarantined"
    assert judged(3, losses=9, verdict=Outcome.CANCELLED).retry_wait == 0
