"""Carry out one run in this process: the same runner, lock, fence and ledger as in a worker.

The job is put into the queue and claimed in one transaction, so that no worker sees it in between.
"""

from __future__ import annotations

import asyncio
import random
import signal
from typing import Any

from queue_worker.database import describe_target
from queue_worker.definitions import JobDefinition
from queue_worker.errors import DatabaseUnreachable, LockHeld, RunError
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.governance.pooler import require_direct_connection
from queue_worker.observability.tracing import trace_reader
from queue_worker.queue.requests import EnqueueRequest, Item, write_item
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings
from queue_worker.worker.exits import EXIT_FAILED, exit_now
from queue_worker.worker.station import Station

LOOK_INTERVAL = 0.1  # seconds between two looks at a lock key that is held


async def run_inline(
    registry: JobRegistry,
    settings: Settings,
    job: JobDefinition[Any],
    arguments: object,
    *,
    wait: bool = False,
) -> EndedRun:
    """Carry out one run here and now; returns once its end is committed.

    SIGTERM and SIGINT cancel it. With `wait` it waits for a lock key that is held.

    Raises:
        ArgumentsError: the arguments do not fit; nothing was written.
        SettingsError: there is a pooler in the way.
        JobPaused: it or its queue is paused; nothing was enqueued.
        LockHeld: its lock key is held and `wait` was not asked for; nothing was enqueued.
        DatabaseUnreachable: the database did not answer before the function was called.
    """
    request = EnqueueRequest(job=job, args=arguments)
    item = write_item(registry, request, settings.max_args_bytes, trace_reader(settings)())
    require_direct_connection(settings)
    loop = asyncio.get_running_loop()
    closed: asyncio.Future[EndedRun] = loop.create_future()
    station = Station(
        registry,
        settings,
        on_closed=lambda ended: closed.set_result(ended[0]),
        on_disowned=lambda: station.cancel_all("this process was declared dead"),
        kind="inline",
        on_held="wait" if wait else "skip",
    )
    await station.open([job.queue], 1)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, station.cancel_all, "the process was asked to stop")
        claim = await _claim(station, item, wait=wait)
        return await _carry_out(station, claim, closed)
    finally:
        await station.close("stopped")
        if station.has_given_up:
            exit_now(EXIT_FAILED)


async def _carry_out(station: Station, claim: Claim, closed: asyncio.Future[EndedRun]) -> EndedRun:
    started = station.start(claim)
    for awaited in ({started, closed}, {closed}):
        await asyncio.wait({*awaited, *station.loops}, return_when=asyncio.FIRST_COMPLETED)
        if started.done() and not started.result():
            raise DatabaseUnreachable(
                describe_target(station.settings.dsn),
                f"job {claim.queue_job_id} went to the queue instead",
            )
    if not closed.done():
        raise RunError(
            f"Run {claim.run_id} could not be closed; see the log. A worker will find it lost."
        )
    return closed.result()


async def _claim(station: Station, item: Item, *, wait: bool) -> Claim:
    while True:
        try:
            return await station.claim_new(item)
        except LockHeld:
            if not wait or station.is_stopped:
                raise
        await asyncio.sleep(LOOK_INTERVAL * random.uniform(0.5, 1.0))
