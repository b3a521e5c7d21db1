"""How fast one client enqueues: a job at a time, and by batches."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from tests.benchmarks.loops import run_client
from tests.benchmarks.measuring import Measuring
from tests.benchmarks.systems.base import Client, System

_WARM_UP = 20  # calls before the clock starts


def measure_enqueue(measuring: Measuring) -> None:
    """Every system in turns; no worker runs meanwhile."""
    batch = measuring.plan.batch
    for number, system in measuring.turns():
        with measuring.database(system) as dsn:
            measuring.server.checkpoint()
            single, many = run_client(_measure(system, dsn, measuring.plan.seconds, batch))
        measuring.add("enqueue", "one at a time", system, number, jobs_per_s=single)
        measuring.add("enqueue", f"batches of {batch:,}", system, number, jobs_per_s=many * batch)


async def _measure(system: System, dsn: str, seconds: float, batch: int) -> tuple[float, float]:
    async with system.client(dsn) as client:
        for _ in range(_WARM_UP):
            await client.enqueue()
        single = await _calls_a_second(client.enqueue, seconds)
        await client.enqueue_many(batch)
        return single, await _calls_a_second(_batches(client, batch), seconds)


def _batches(client: Client, batch: int) -> Callable[[], Awaitable[None]]:
    return lambda: client.enqueue_many(batch)


async def _calls_a_second(call: Callable[[], Awaitable[None]], seconds: float) -> float:
    began, calls = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        await call()
        calls += 1
    return calls / (time.monotonic() - began)
