"""The real runner without a database: what it adds to a job that does nothing."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Coroutine, Iterable
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
from queue_worker.settings import Settings, load_settings
from queue_worker.worker.garbage import collect_rarely
from tests.benchmarks.loops import run_client
from tests.benchmarks.systems.base import NOOP
from tests.benchmarks.systems.ours_jobs import noop, registry

_AT_ONCE = 1_000  # runs that are started together


def microseconds_per_run(runs: int) -> float:
    """CPU time that runner and metrics add to a call of the job in a task of its own."""
    settings = load_settings(database_url="postgresql://nowhere/", log_level="warning")
    configure_logs(settings)
    thresholds = gc.get_threshold()
    collect_rarely()
    try:
        return run_client(_measure(settings, runs))
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


async def _measure(settings: Settings, runs: int) -> float:
    metrics = JobMetrics()
    observer = RunObserver(metrics, WorkerMetrics(metrics.registry))
    runner = Runner(
        registry,
        settings,
        MagicMock(),  # these jobs need neither locks nor children
        ChildProcesses(settings),
        observer,
        on_given_up=lambda _: None,
        on_held="return",
    )

    async def carry_out(claim: Claim) -> None:
        ended = await runner.carry_out(claim)
        assert ended is not None
        assert ended.outcome == "succeeded"
        observer.ended(ended)

    seconds, done = 0.0, 0
    while done < runs:
        claims = [_claim(done + number) for number in range(min(_AT_ONCE, runs - done))]
        bare = await _timed(noop.function(None) for _ in claims)  # it looks at no context
        whole = await _timed(carry_out(claim) for claim in claims)
        seconds += whole - bare
        done += len(claims)
    return seconds / runs * 1e6


async def _timed(runs: Iterable[Coroutine[Any, Any, object]]) -> float:
    began = time.process_time()
    await asyncio.gather(*[asyncio.create_task(run) for run in runs])
    return time.process_time() - began


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
