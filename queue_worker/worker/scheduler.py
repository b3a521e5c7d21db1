"""Fire the ticks of schedules: every worker runs this loop, and each tick is decided once.

The database's clock decides what is due, and its ledger of ticks decides who fires it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from queue_worker.definitions import JobDefinition
from queue_worker.registry import JobRegistry
from queue_worker.schedules import Manual, last_ticks
from queue_worker.session import Session
from queue_worker.worker.backoff import persist

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

IN_TIME = timedelta(seconds=60)  # a tick that is found later than this has been missed
LONGEST_SLEEP = 30.0  # seconds; how long a clock that was set may go unnoticed
MOST_TICKS = 10_000  # of one job and one outage that are recorded one by one; one row for the rest


class Scheduler:
    """Makes scheduled jobs run when they are due.

    Args:
        registry: the jobs of this process.
        since: from when on the ticks of each job count: when its schedule was first published. As
            of the start of this process, so that it finishes what it has begun although a newer
            version has published another schedule meanwhile.
        session: a connection for nothing else.
        worker_id: who decides.
    """

    def __init__(
        self,
        registry: JobRegistry,
        since: Mapping[str, datetime],
        session: Session,
        worker_id: int,
    ) -> None:
        self._jobs = {job.name: job for job in registry if job.is_scheduled}
        self._since = since
        self._session = session
        self._worker_id = worker_id

    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            wait = await persist("firing ticks", self.fire_due_ticks)
            await asyncio.sleep(wait)

    async def fire_due_ticks(self) -> float:
        """Decide every tick that is due; returns the seconds until the next one."""
        rows = await self._session.fetch("read_ticks", {"jobs": list(self._jobs)})
        wait = LONGEST_SLEEP
        changed: dict[str, datetime | None] = {}
        for name, now, newest, published in rows:
            job, after = self._jobs[name], self._since[name]
            if newest is not None:
                after = max(after, newest)
            due = last_ticks(job.schedule, after, now, MOST_TICKS + 1)
            if due:
                await self._decide(job, due, now, after)
            upcoming = None if isinstance(job.schedule, Manual) else job.schedule.following(now)
            if upcoming is not None:
                wait = min(wait, (upcoming - now).total_seconds())
            if upcoming != published:
                changed[name] = upcoming
        if changed:
            await self._publish(changed)
        return wait

    async def _publish(self, upcoming: Mapping[str, datetime | None]) -> None:
        """Say when these jobs are due next, for whoever looks when no worker is left."""
        await self._session.fetch(
            "publish_next_ticks",
            {
                "jobs": list(upcoming),
                "schedules": [str(self._jobs[name].schedule) for name in upcoming],
                "due_at": list(upcoming.values()),
            },
        )

    async def _decide(
        self, job: JobDefinition[Any], due: list[datetime], now: datetime, after: datetime
    ) -> None:
        runs = ticks_to_run(due, now, job.catch_up)
        description = {
            "job": job.name,
            "queue": job.queue,
            "priority": job.priority,
            "lock_key": job.lock_key,
        }
        rows = await self._session.fetch(
            "decide_ticks",
            {
                "job": Jsonb(description),
                "run_for": runs,
                "missed": due[: len(due) - len(runs)],
                "worker_id": self._worker_id,
                "missed_since": after if len(due) > MOST_TICKS else None,
            },
        )
        for due_at, state in rows:
            event = f"tick.{state}"
            log.info(event, job=job.name, due_at=due_at.isoformat())


def ticks_to_run(due: list[datetime], now: datetime, catch_up: int) -> list[datetime]:
    """Of the ticks that are due, oldest first, the ones to run: the newest, by the job's policy.

    The last one is run in any case if it is found in time; the policy is for those that are late.
    """
    in_time = 1 if now - due[-1] <= IN_TIME else 0
    return due[len(due) - min(len(due), max(in_time, catch_up)) :]
