"""Find what nobody has told of yet, and see to it that it is told: every worker runs this loop.

In the whole fleet one at a time does, under a lock that nobody waits for.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import psycopg
import structlog
from psycopg.types.json import Jsonb

from queue_worker.housekeeping import deliver_alerts
from queue_worker.session import Session
from queue_worker.settings import Settings
from queue_worker.worker.backoff import persist

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

TEND = 1.0  # seconds between two times that events are folded, by any of the fleet
TEND_SELDOM = 5.0  # the longest between two times by one worker of a large fleet
LOOK = 10.0  # seconds between two looks for what is wrong
STORM = 10  # alerts of one type in one window that are told one by one
UNKNOWN_AFTER = 60.0  # seconds that a job may wait for a worker that knows it, as during a deploy
LONG_AFTER = 10.0  # seconds that any run may take
SNAPSHOT_AFTER = 900.0  # seconds that a snapshot may be held

_DELIVERY = {
    "job": deliver_alerts.job.name,
    "queue": deliver_alerts.job.queue,
    "priority": deliver_alerts.job.priority,
    "lock_key": deliver_alerts.job.lock_key,
    "queueing_lock": deliver_alerts.job.name,
    "args": {},
}


class Lookout:
    """Makes alerts of what went wrong, and has them delivered.

    Args:
        session: a connection for nothing else.
        settings: the settings of the process.
        sinks: the names of the sinks that alerts are addressed to.
        fleet: tells how many processes live, so that a large fleet does not look more often.
    """

    def __init__(
        self,
        session: Session,
        settings: Settings,
        sinks: Sequence[str],
        fleet: Callable[[], int] = lambda: 1,
    ) -> None:
        self._session = session
        self._settings = settings
        self._sinks = list(sinks)
        self._fleet = fleet
        self._looked = -LOOK

    async def run(self) -> None:
        """Look and tend until cancelled."""
        while True:
            try:
                await persist("tending alerts", self.tend)
            except psycopg.Error as error:  # no reason for a worker to end
                log.exception("alerts.untended", error=str(error).strip())
            await asyncio.sleep(self._wait())

    async def tend(self) -> None:
        """Look for what is wrong, if it is time; fold what was found, and have it delivered."""
        if time.monotonic() - self._looked >= LOOK * self._fleet():
            await self.look()
        await self._session.fetch(
            "tend_alerts",
            {
                "tell_every": self._settings.alert_window,
                "storm_from": STORM,
                "sinks": self._sinks,
                "delivery": None if self._settings.dry_run else Jsonb(_DELIVERY),
            },
        )

    async def look(self) -> None:
        """Look for what is wrong now."""
        self._looked = time.monotonic()
        await self._session.fetch(
            "look_for_alerts",
            {
                "lagging_after": self._settings.alert_lag,
                "unknown_after": UNKNOWN_AFTER,
                "long_after": LONG_AFTER,
                "snapshot_after": SNAPSHOT_AFTER,
            },
        )

    def _wait(self) -> float:
        return min(TEND * self._fleet(), TEND_SELDOM) * random.uniform(0.5, 1.0)
