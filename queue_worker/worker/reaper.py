"""Find workers that have died, and close what they have left.

A loop in every worker, not a queued job: a queued reaper could itself be stuck behind the dead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from queue_worker.session import Session
from queue_worker.worker import timing
from queue_worker.worker.backoff import persist

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

# Two missed heartbeats; before that, a free alive lock may only be on its way to a new session.
_SUSPICION = 2 * timing.HEARTBEAT


class Reaper:
    """Rescues what dead siblings have left; `on_rescued` is called when it has."""

    def __init__(self, session: Session, worker_id: int, on_rescued: Callable[[], None]) -> None:
        self._session = session
        self._worker_id = worker_id
        self._on_rescued = on_rescued
        self._gone_since: dict[int, float] = {}

    async def run(self) -> None:
        """Look for dead workers until cancelled."""
        while True:
            await persist("looking for dead workers", self.reap)
            await asyncio.sleep(timing.REAP)

    async def reap(self) -> None:
        """Rescue what can be rescued by now."""
        rows = await self._session.fetch(
            "find_silent_workers", {"worker_id": self._worker_id, "frozen": timing.FROZEN}
        )
        now = time.monotonic()
        self._gone_since = {
            worker_id: self._gone_since.get(worker_id, now)
            for worker_id, alive_pid, *_ in rows
            if alive_pid is None
        }
        for worker_id, alive_pid, silent_for, server_is_young in rows:
            if alive_pid is not None:
                await self._end_session(worker_id, alive_pid, silent_for)
            elif self._may_rescue(worker_id, now, silent_for, server_is_young=server_is_young):
                await self._rescue(worker_id)

    def _may_rescue(
        self, worker_id: int, now: float, silent_for: float, *, server_is_young: bool
    ) -> bool:
        """Whether a living worker would have noticed by now that its lock session is gone."""
        silence = timing.FROZEN if server_is_young else _SUSPICION
        return silent_for >= silence and now - self._gone_since[worker_id] >= timing.SELF_FENCE

    async def _end_session(self, worker_id: int, pid: int, silent_for: float) -> None:
        log.warning("worker.frozen", frozen_id=worker_id, silent_for_s=round(silent_for, 1))
        await self._session.fetch("end_session", {"pid": pid})

    async def _rescue(self, worker_id: int) -> None:
        rows = await self._session.fetch(
            "rescue_worker", {"dead_id": worker_id, "rescuer_id": self._worker_id}
        )
        self._gone_since.pop(worker_id, None)
        log.error("worker.lost", lost_id=worker_id, runs=len(rows))
        for queue_job_id, attempt, job, what in rows:
            log.error("job.lost", run_id=f"{queue_job_id}.{attempt}", job=job, then=what)
        self._on_rescued()
