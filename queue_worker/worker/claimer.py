"""Claim what waits, never more than can start at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from queue_worker.worker.backoff import persist
from queue_worker.worker.station import Station


class Claimer:
    """Keeps the station of one worker busy.

    It looks at the queue when it is hinted to, when a run has ended that others may wait for, and
    every poll interval whatever happens.
    """

    def __init__(self, station: Station, queues: Sequence[str], concurrency: int) -> None:
        self._station = station
        self._queues = queues
        self._concurrency = concurrency
        self._hint = asyncio.Event()

    def hint(self) -> None:
        """There may be something to claim."""
        self._hint.set()

    async def run(self) -> None:
        """Claim and start runs, until cancelled."""
        while True:
            self._hint.clear()
            free = self._concurrency - self._station.occupied
            if free == 0 or await self._claim(free) < free:
                await self._wait_for_hint()

    async def _claim(self, free: int) -> int:
        claims = await persist(
            "claiming runs",
            lambda: self._station.manager.claim_runs(
                self._station.claims,
                worker_id=self._station.worker_id,
                jobs=self._station.registry.names,
                queues=self._queues or None,
                free=free,
            ),
        )
        for claim in claims:
            self._station.start(claim)
        return len(claims)

    async def _wait_for_hint(self) -> None:
        try:
            async with asyncio.timeout(self._station.settings.poll_interval):
                await self._hint.wait()
        except TimeoutError:
            return
