"""Claim what waits, never more than can start at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

import structlog

from queue_worker.execution.run import EndedRun
from queue_worker.worker.backoff import PASSING, persist
from queue_worker.worker.station import Station
from queue_worker.worker.turns import EVERYTHING, Hint

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

RECONCILE_INTERVAL = 10.0  # seconds


class Claimer:
    """Keeps the station of one worker busy.

    It looks at the queue when it is hinted to, when a run has ended that others may wait for, and
    every poll interval at all of it, whatever happens. Now and then it compares what the database
    says it has claimed with what it knows of, as the answer of a claim may have got lost.
    """

    def __init__(self, station: Station, queues: Sequence[str], concurrency: int) -> None:
        self._station = station
        self._concurrency = concurrency
        self._queues = queues
        self._hint = asyncio.Event()
        self._later: asyncio.TimerHandle | None = None
        self._has_left_some = False  # whether the last look may not have taken all there was
        self._reconciled = self._polled = time.monotonic()

    def hear(self, hint: Hint) -> None:
        """There may be something to claim, of which somebody has told."""
        self._station.look_at(hint)
        self.hint(hint.wait)

    def hint(self, delay: float = 0.0) -> None:
        """There may be something to claim, for this worker in `delay` seconds if not before."""
        if not delay:
            self._hint.set()
        elif not self._hint.is_set():
            loop = asyncio.get_running_loop()
            if self._later is not None and self._later.when() <= loop.time() + delay:
                return
            self._forget_later()
            self._later = loop.call_later(delay, self._hint.set)

    def look_after(self, closed: Sequence[EndedRun]) -> None:
        """Runs have ended: look, if something may have waited for a slot, a lock key or a retry."""
        if self._has_left_some or any(e.claim.lock_key or e.retry_wait is not None for e in closed):
            self.hint()

    async def run(self) -> None:
        """Claim and start runs, until cancelled."""
        while True:
            self._hint.clear()
            self._forget_later()  # a look sees all that was told of before it
            if time.monotonic() - self._reconciled > RECONCILE_INTERVAL:
                await persist("comparing claims", self._reconcile)
            if self._until_poll <= 0:
                self._station.look_at(EVERYTHING)
                self._polled = time.monotonic()
            free = self._concurrency - self._station.slots_taken
            until_next = await self._claim(free) if free else 0.0
            self._has_left_some = until_next < math.inf
            if self._station.is_floor_due:
                await self._find_floor()
            if free == 0 or until_next > 0:
                if 0 < until_next < math.inf:
                    self.hint(until_next)
                await self._wait_for_hint()

    async def _reconcile(self) -> None:
        await self._station.return_orphans()
        self._reconciled = time.monotonic()

    async def _claim(self, free: int) -> float:
        return await persist("claiming runs", lambda: self._station.claim(self._queues, free))

    async def _find_floor(self) -> None:
        try:
            await self._station.find_floor(self._queues)
        except PASSING as error:  # claims go on from where they began
            log.warning("floor.not_found", error=str(error).strip())

    @property
    def _until_poll(self) -> float:
        """Seconds until all that waits is looked at, whatever was told or not."""
        return self._polled + self._station.settings.poll_interval - time.monotonic()

    def _forget_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def _wait_for_hint(self) -> None:
        try:
            async with asyncio.timeout(max(0.0, self._until_poll)):
                await self._hint.wait()
        except TimeoutError:
            return
