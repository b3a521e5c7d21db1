"""The real runner without a database: what it adds to a job that does nothing."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from unittest.mock import MagicMock

from queue_worker.execution.children import ChildProcesses
from queue_worker.execution.run import Claim
from queue_worker.execution.runner import Runner
from queue_worker.observability.logs import configure_logs
from queue_worker.observability.metrics import JobMetrics
from queue_worker.observability.observer import RunObserver
from queue_worker.observability.worker_metrics import WorkerMetrics
from queue_worker.settings import load_settings
from tests.benchmarks.loops import run_client
from tests.benchmarks.systems.base import NOOP
from tests.benchmarks.systems.ours_jobs import registry

_AT_ONCE = 1_000  # runs that are started together


def microseconds_per_run(runs: int) -> float:
    """CPU time of one run from its claim to its outcome: a task, a deadline, a call."""
    settings = load_settings(database_url="postgresql://nowhere/", log_level="warning")
    configure_logs(settings)
    return run_client(_measure(_build(settings), runs))


def _build(settings: Any) -> Runner:
    """A runner as a worker has it; these jobs need neither locks nor children."""
    metrics = JobMetrics()
    return Runner(
        registry,
        settings,
        MagicMock(),
        ChildProcesses(settings),
        RunObserver(metrics, WorkerMetrics(metrics.registry)),
        on_given_up=lambda _: None,
        on_held="return",
    )


async def _measure(runner: Runner, runs: int) -> float:
    seconds, done = 0.0, 0
    while done < runs:
        claims = [_claim(done + number) for number in range(min(_AT_ONCE, runs - done))]
        began = time.process_time()
        tasks = [asyncio.create_task(runner.carry_out(claim)) for claim in claims]
        ended = await asyncio.gather(*tasks)
        seconds += time.process_time() - began
        assert all(end is not None and end.outcome == "succeeded" for end in ended)
        done += len(claims)
    return seconds / runs * 1e6


def _claim(number: int) -> Claim:
    now = datetime.now(UTC)
    return Claim(
        queue_job_id=number,
        attempt=1,
        job=NOOP,
        queue="default",
        priority=0,
        lock_key=None,
        arguments="{}",
        due_at=None,
        enqueued_at=now,
        claimed_at=now,
        restarts=0,
        losses=0,
        trace=None,
        received=time.monotonic(),
    )
