"""Say that this worker is alive, from a thread: a job that blocks the loop can't stop that."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping

import structlog

from queue_worker.observability.worker_metrics import WorkerMetrics
from queue_worker.session import Session
from queue_worker.settings import Settings
from queue_worker.worker import timing
from queue_worker.worker.turns import Place

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class Heartbeat:
    """Renews the heartbeat of one worker until it is stopped.

    The functions are called from the thread.

    Args:
        settings: where the database is.
        worker_id: whose heartbeat it is.
        on_silent: called each time the heartbeat could not be renewed for SILENT seconds.
        on_disowned: called once if the database says that this worker is not alive any more.
        metrics: where the heartbeats are counted.
        on_cancelled: called with the queue job ids of runs that somebody has cancelled, and why;
            again with each heartbeat until they are closed.
    """

    def __init__(
        self,
        settings: Settings,
        worker_id: int,
        *,
        on_silent: Callable[[], object],
        on_disowned: Callable[[], object],
        metrics: WorkerMetrics,
        on_cancelled: Callable[[Mapping[int, str]], object],
    ) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._on_silent = on_silent
        self._on_disowned = on_disowned
        self._metrics = metrics
        self._on_cancelled = on_cancelled
        self._renewed = time.monotonic()
        self.place = Place()
        self.fleet = 1  # how many processes live, this one included
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    @property
    def is_silent(self) -> bool:
        """Whether others may soon take this worker for dead."""
        return self.age > timing.SILENT

    @property
    def age(self) -> float:
        """Seconds since it was last renewed."""
        return time.monotonic() - self._renewed

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._beat_until_stopped())

    async def _beat_until_stopped(self) -> None:
        session = Session(
            self._settings.direct_dsn,
            name=f"queue_worker heartbeat {self._worker_id}",
            connect_timeout=timing.SILENT / 4,
            time_limit=timing.SILENT / 4,
        )
        while not self._stopping.is_set():
            # A process that was frozen, or cut off, must know before it says that it is alive.
            self._check_silence()
            try:
                await self._beat(session)
            except Exception as error:  # noqa: BLE001  whatever it is, the next beat must come
                self._metrics.heartbeat_failures.inc()
                log.warning("heartbeat.failed", error=str(error).strip())
            self._stopping.wait(timing.HEARTBEAT)  # this loop has nothing else to do
        await session.aclose()

    async def _beat(self, session: Session) -> None:
        rows = await session.fetch("renew_heartbeat", {"worker_id": self._worker_id})
        if rows:
            self._renewed = time.monotonic()
            self._metrics.heartbeats.inc()
            ((rank, workers, self.fleet, cancelled),) = rows
            self.place = Place(rank, workers)
            if cancelled:
                self._on_cancelled({int(job_id): why for job_id, why in cancelled.items()})
        else:
            self._stopping.set()
            self._on_disowned()

    def _check_silence(self) -> None:
        if self.is_silent:
            self._on_silent()
