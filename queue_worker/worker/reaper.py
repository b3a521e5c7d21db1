"""Find workers that have died, and close what they have left.

A loop in every worker, not a queued job: a queued reaper could itself be stuck behind the dead.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import psycopg
import structlog

from queue_worker.observability.observer import RunObserver
from queue_worker.session import Rows, Session
from queue_worker.worker import timing
from queue_worker.worker.backoff import persist

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

# Two missed heartbeats; before that, a free alive lock may only be on its way to a new session.
_SUSPICION = 2 * timing.HEARTBEAT
_FRESH = timing.SILENT / 2


class Reaper:
    """Rescues what dead siblings have left; `on_rescued` is called when it has, and the observer.

    `fleet` tells how many processes live, so that a large fleet does not look more often.

    What it does to a sibling rests on what it has seen itself, look after look, for as long as a
    living worker needs to come back or to end its own locked runs.
    """

    def __init__(
        self,
        session: Session,
        worker_id: int,
        on_rescued: Callable[[], None],
        observer: RunObserver,
        fleet: Callable[[], int] = lambda: 2,
    ) -> None:
        self._fleet = fleet
        self._session = session
        self._worker_id = worker_id
        self._on_rescued = on_rescued
        self._observer = observer
        self._suspects: dict[tuple[int, int | None], float] = {}
        self._settled_at = time.monotonic()
        self._looked_for_ownerless = time.monotonic()

    async def run(self) -> None:
        """Look for dead workers until cancelled."""
        while True:
            await persist("looking for dead workers", self.reap)
            await asyncio.sleep(self._wait())

    def _wait(self) -> float:
        """The fleet as a whole looks every REAP; who suspects somebody, does so alone."""
        if self._suspects:
            return timing.REAP
        share = timing.REAP_ALONE if self._fleet() == 1 else timing.REAP * self._fleet()
        return min(share, timing.REAP_SELDOM) * random.uniform(0.5, 1.0)

    async def reap(self) -> None:
        """Rescue what can be rescued by now."""
        rows = await self._look()
        now = time.monotonic()
        self._suspects = {
            (worker_id, alive_pid): self._suspects.get((worker_id, alive_pid), now)
            for worker_id, alive_pid, _ in rows
        }
        for worker_id, alive_pid, silent_for in rows:
            seen_for = now - self._suspects[worker_id, alive_pid]
            if now < self._settled_at or seen_for < timing.SELF_FENCE:
                continue
            if alive_pid is not None:
                await self._end_session(worker_id, alive_pid, silent_for)
            elif silent_for >= _SUSPICION:
                await self._rescue(worker_id)
        if now - self._looked_for_ownerless > timing.REAP_OWNERLESS:
            await self._rescue_ownerless()
            self._looked_for_ownerless = now

    async def _look(self) -> Rows:
        try:
            return await self._session.fetch(
                "find_silent_workers",
                {
                    "worker_id": self._worker_id,
                    "frozen": timing.FROZEN,
                    "fresh": _FRESH,
                    "settle": timing.SETTLE,
                },
            )
        except Exception:
            # Others may have been cut off as this worker was, and need time to come back.
            self._settled_at = time.monotonic() + timing.SETTLE
            self._suspects.clear()
            raise

    async def _end_session(self, worker_id: int, pid: int, silent_for: float) -> None:
        log.warning("worker.frozen", frozen_id=worker_id, silent_for_s=round(silent_for, 1))
        await self._session.fetch("end_session", {"pid": pid})

    async def _rescue(self, worker_id: int) -> None:
        try:
            rows = await self._session.fetch(
                "rescue_worker", {"dead_id": worker_id, "rescuer_id": self._worker_id}
            )
        except psycopg.Error as error:  # the next dead worker is not to wait for this one
            log.exception("worker.rescue_failed", lost_id=worker_id, error=str(error).strip())
            return
        if not rows:  # a sibling was quicker, or the worker has come back
            return
        self._observer.rescued(worker_id, _closed(rows[1:]))
        self._on_rescued()

    async def _rescue_ownerless(self) -> None:
        """What plain procrastinate has taken from its worker by pruning that one."""
        rows = await self._session.fetch("rescue_ownerless", {"rescuer_id": self._worker_id})
        if rows:
            self._observer.closed_lost(_closed(rows))
            self._on_rescued()


def _closed(rows: Rows) -> list[tuple[str, str, str]]:
    """Of each run that was closed its id, its job, and what became of its place in the queue."""
    return [(f"{queue_job_id}.{attempt}", job, then) for queue_job_id, attempt, job, then in rows]
