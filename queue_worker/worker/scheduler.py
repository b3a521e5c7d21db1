"""Fire the ticks of schedules: every worker runs this loop, and each tick is decided once.

The database's clock decides what is due, and its ledger of ticks decides who fires it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from queue_worker.definitions import JobDefinition
from queue_worker.registry import JobRegistry
from queue_worker.schedules import ticks_between
from queue_worker.session import Session
from queue_worker.worker.backoff import persist

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

LATE = timedelta(seconds=60)  # a tick fired later than this is recorded as backfilled
LONGEST_SLEEP = 30.0  # seconds; how long a clock that was set may go unnoticed
MOST_MISSED = 1_000  # rows written for the ticks of one outage


class Scheduler:
    """Makes scheduled jobs run when they are due."""

    def __init__(self, registry: JobRegistry, session: Session, worker_id: int) -> None:
        self._jobs = {job.name: job for job in registry if job.is_scheduled}
        self._session = session
        self._worker_id = worker_id

    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            wait = await persist("firing ticks", self.fire_due_ticks)
            await asyncio.sleep(min(wait, LONGEST_SLEEP))

    async def fire_due_ticks(self) -> float:
        """Decide every tick that is due; returns the seconds until the next one."""
        rows = await self._session.fetch("read_ticks", {"jobs": list(self._jobs)})
        waits = [LONGEST_SLEEP]
        for name, now, decided_until in rows:
            job = self._jobs[name]
            due = deque(ticks_between(job.schedule, decided_until, now), MOST_MISSED)
            if due:
                await self._fire(job, due.pop(), list(due), now)
            upcoming = next(
                ticks_between(job.schedule, now, datetime.max.replace(tzinfo=now.tzinfo)), None
            )
            if upcoming is not None:
                waits.append((upcoming - now).total_seconds())
        return min(waits)

    async def _fire(
        self, job: JobDefinition[Any], due_at: datetime, missed: list[datetime], now: datetime
    ) -> None:
        description = {
            "job": job.name,
            "queue": job.queue,
            "priority": job.priority,
            "lock_key": job.lock_key,
        }
        rows = await self._session.fetch(
            "fire_tick",
            {
                "job": Jsonb(description),
                "due_at": due_at,
                "missed": missed,
                "late": now - due_at > LATE,
                "worker_id": self._worker_id,
            },
        )
        decision: str = rows[0][0]
        if decision != "decided":
            event = f"tick.{decision}"
            log.info(event, job=job.name, due_at=due_at.isoformat(), missed=len(missed))
