"""Carry out what is due in this process: the worker's own runner, locks, fence and ledger."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from queue_worker.errors import RunError
from queue_worker.execution.run import EndedRun
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings
from queue_worker.worker.scheduler import Scheduler
from queue_worker.worker.station import Station


async def run_due(
    registry: JobRegistry, settings: Settings, *, concurrency: int, most_runs: int
) -> list[EndedRun]:
    """Carry out all that is due, and what those runs enqueue; returns the runs as they ended.

    Raises:
        RunError: more than `most_runs` have ended and there is still something to do.
    """
    ended: list[EndedRun] = []
    async with _opened_station(registry, settings, ended) as station:
        while await station.claim((), concurrency) < math.inf or station.occupied:
            await station.wait_until_closed()
            if len(ended) > most_runs:
                raise RunError(
                    f"{len(ended)} runs have ended and more are due: does a job enqueue itself? "
                    "If so many are meant, say most_runs=..."
                )
    return ended


async def fire_due_ticks(registry: JobRegistry, settings: Settings) -> None:
    """Enqueue what schedules have made due, as the scheduler of a worker does."""
    async with _opened_station(registry, settings, []) as station:
        session = station.session("scheduler")
        try:
            scheduler = Scheduler(registry, station.scheduled_since, session, station.worker_id)
            await scheduler.fire_due_ticks()
        finally:
            await session.aclose()


@asynccontextmanager
async def _opened_station(
    registry: JobRegistry, settings: Settings, ended: list[EndedRun]
) -> AsyncIterator[Station]:
    station = Station(
        registry,
        settings,
        on_closed=ended.extend,
        on_disowned=lambda: station.cancel_all("this process was declared dead"),
        kind="inline",
    )
    await station.open([], 1)
    try:
        yield station
    finally:
        await station.close("stopped")
