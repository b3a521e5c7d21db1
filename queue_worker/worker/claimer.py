"""Claim what waits, never more than can start at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from queue_worker.worker.backoff import persist
from queue_worker.worker.station import Station

RECONCILE_INTERVAL = 10.0  # seconds


class Claimer:
    """Keeps the station of one worker busy.

    It looks at the queue when it is hinted to, when a run has ended that others may wait for, and
    every poll interval whatever happens. Now and then it compares what the database says it has
    claimed with what it knows of, as the answer of a claim may have got lost; and, where it serves
    all queues, which ones there are.
    """

    def __init__(self, station: Station, queues: Sequence[str], concurrency: int) -> None:
        self._station = station
        self._concurrency = concurrency
        self._serves_all = not queues
        self._queues = list(queues)
        self._hint = asyncio.Event()
        self._reconciled = float("-inf")

    def hint(self) -> None:
        """There may be something to claim."""
        self._hint.set()

    async def run(self) -> None:
        """Claim and start runs, until cancelled."""
        while True:
            self._hint.clear()
            if time.monotonic() - self._reconciled > RECONCILE_INTERVAL:
                await persist("comparing claims", self._reconcile)
            free = self._concurrency - self._station.occupied
            if free == 0 or not await self._claim(free):
                await self._wait_for_hint()

    async def _reconcile(self) -> None:
        await self._station.return_orphans()
        if self._serves_all:
            self._queues = await self._station.list_queues()
        self._reconciled = time.monotonic()

    async def _claim(self, free: int) -> bool:
        return await persist("claiming runs", lambda: self._station.claim(self._queues, free))

    async def _wait_for_hint(self) -> None:
        try:
            async with asyncio.timeout(self._station.settings.poll_interval):
                await self._hint.wait()
        except TimeoutError:
            return
