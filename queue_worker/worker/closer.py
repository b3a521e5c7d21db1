"""Close runs, as many as have ended at a time.

The first one goes out at once; those that end while its statement is under way go together in the
next. A run counts as ended only when its statement has committed. A row that somebody has locked
holds back no other.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from queue_worker.execution.failure import Failure
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import EndedRun
from queue_worker.observability.worker_metrics import WorkerMetrics
from queue_worker.queue.manager import RunManager
from queue_worker.session import Session
from queue_worker.worker.backoff import BLOCKED, persist

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

LARGEST_BATCH = 500
BLOCKED_WAIT = 1.0  # seconds until a run whose row is locked is tried again


class Closer:
    """Writes the ends of the runs of one worker."""

    def __init__(
        self,
        manager: RunManager,
        session: Session,
        worker_id: int,
        on_closed: Callable[[Sequence[EndedRun]], None],
        metrics: WorkerMetrics,
    ) -> None:
        self._manager = manager
        self._session = session
        self._worker_id = worker_id
        self._on_closed = on_closed
        self._metrics = metrics
        self._ended: list[EndedRun] = []
        self._news = asyncio.Event()

    def close(self, ended: EndedRun) -> None:
        """Have this run written; `on_closed` hears of it when that is committed."""
        self._ended.append(ended)
        self._news.set()

    async def run(self) -> None:
        """Write what has ended, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._ended:
                batch, self._ended = self._ended[:LARGEST_BATCH], self._ended[LARGEST_BATCH:]
                await self._close_all(batch)

    async def _close_all(self, batch: Sequence[EndedRun]) -> None:
        try:
            closed = await self._write(batch)
        except BLOCKED as error:
            await self._close_unblocked(batch, str(error).strip())
        else:
            self._on_closed(closed)

    async def _close_unblocked(self, batch: Sequence[EndedRun], problem: str) -> None:
        """Somebody has locked one of the rows: find out which, and come back to it later."""
        if len(batch) > 1:
            for ended in batch:
                await self._close_all([ended])
            return
        log.warning("job.close_blocked", **batch[0].claim.facts, error=problem)
        asyncio.get_running_loop().call_later(BLOCKED_WAIT, self.close, batch[0])

    async def _write(self, batch: Sequence[EndedRun]) -> list[EndedRun]:
        close = functools.partial(
            self._manager.close_runs, self._session, worker_id=self._worker_id, ended=batch
        )
        begun = time.monotonic()
        refused = await persist("closing runs", close, but_not=BLOCKED)
        self._metrics.closed(len(batch), time.monotonic() - begun)
        if not refused:
            return list(batch)
        lost = {ended.claim.run_id for ended in refused}
        return [_as_lost(ended) if ended.claim.run_id in lost else ended for ended in batch]


def _as_lost(ended: EndedRun) -> EndedRun:
    return replace(
        ended,
        outcome=Outcome.LOST,
        failure=Failure(
            "ClaimLost", f"ended {ended.outcome}, but its claim was gone: nothing was kept"
        ),
        retry_wait=None,
    )
