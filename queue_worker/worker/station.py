"""What a process needs to carry out runs: an identity, a heartbeat, locks, children, a closer."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Literal

import structlog

from queue_worker.errors import DatabaseUnreachable, LockHeld
from queue_worker.execution.children import ChildProcesses
from queue_worker.execution.failure import Failure
from queue_worker.execution.locks import LockSession
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.execution.runner import Runner
from queue_worker.observability.metrics import JobMetrics
from queue_worker.observability.observer import RunObserver
from queue_worker.queue.app import build_app
from queue_worker.queue.fleet import WorkerKind, end_worker, publish_jobs, register_worker
from queue_worker.queue.manager import RunManager
from queue_worker.registry import JobRegistry
from queue_worker.session import Session
from queue_worker.settings import Settings
from queue_worker.worker.backoff import persist
from queue_worker.worker.closer import Closer
from queue_worker.worker.heartbeat import Heartbeat

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

RETURN_WAIT = 1.0  # seconds before a run whose lock key was held is due again


class Station:
    """Carries out claimed runs and writes how they ended.

    Args:
        registry: the jobs this process knows.
        settings: its settings.
        on_closed: told of every run once its end is committed.
        on_disowned: told once if the database says that this process is not alive any more.
        kind: a worker, or a process for a single inline run.
    """

    def __init__(
        self,
        registry: JobRegistry,
        settings: Settings,
        *,
        on_closed: Callable[[EndedRun], None],
        on_disowned: Callable[[], None],
        kind: WorkerKind = "worker",
    ) -> None:
        self.registry = registry
        self.settings = settings
        self.metrics = JobMetrics()
        self.manager: RunManager = build_app(registry, settings).job_manager  # type: ignore[assignment]  # set there
        self._kind: WorkerKind = kind
        self._on_closed = on_closed
        self._on_disowned = on_disowned
        self._observer = RunObserver(self.metrics)
        self._started: dict[str, asyncio.Task[bool]] = {}
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self.claims = self._session("claims", settings.dsn)
        self._closes = self._session("closes", settings.dsn)
        self._locks = LockSession(self._session("locks", settings.direct_dsn), self._lose_lock)
        self._children = ChildProcesses(settings)
        self._runner = Runner(
            registry,
            settings,
            self._locks,
            self._children,
            self._observer,
            returns_held=kind == "worker",
        )

    async def open(self, queues: Sequence[str], concurrency: int) -> None:
        """Register this process and begin its heartbeat.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        await publish_jobs(self.claims, self.registry)
        self.worker_id = await register_worker(
            self.claims, self.registry, kind=self._kind, queues=queues, concurrency=concurrency
        )
        await self._locks.open(self.worker_id)
        loop = asyncio.get_running_loop()
        self._heartbeat = Heartbeat(
            self.settings,
            self.worker_id,
            functools.partial(loop.call_soon_threadsafe, self._on_disowned),
        )
        self._heartbeat.start()
        self._closer = Closer(self.manager, self._closes, self.worker_id, self._forget)
        self.loops = {
            asyncio.create_task(self._closer.run(), name="closer"),
            asyncio.create_task(self._locks.watch(), name="lock session"),
        }

    def start(self, claim: Claim) -> asyncio.Task[bool]:
        """Carry out a claimed run in the background; the task says whether it was, or returned."""
        self._all_closed.clear()
        task = asyncio.create_task(self._carry_out(claim), name=claim.run_id)
        self._started[claim.run_id] = task
        return task

    @property
    def occupied(self) -> int:
        """How many runs are claimed and not yet closed."""
        return len(self._started)

    async def wait_until_closed(self) -> None:
        """Return when every run that was started is closed."""
        await self._all_closed.wait()

    def cancel_all(self, reason: str) -> None:
        """Cancel what executes; it ends `cancelled`."""
        for run_id in self._runner.executing:
            self._runner.cancel(run_id, Outcome.CANCELLED, Failure("WorkerStopped", reason))

    async def close(self, how: Literal["stopped", "failed"]) -> None:
        """End the loops and sessions, and say how this process has ended."""
        for task in self.loops:
            task.cancel()
        await asyncio.gather(*self.loops, return_exceptions=True)
        await self._children.close()
        await asyncio.to_thread(self._heartbeat.stop)
        try:
            await end_worker(self.claims, self.worker_id, how)
        except DatabaseUnreachable as error:
            log.warning("worker.end_unrecorded", error=str(error))
        for session in (self.claims, self._closes, self._locks):
            await session.aclose()

    async def _carry_out(self, claim: Claim) -> bool:
        try:
            ended = await self._runner.carry_out(claim)
        except (LockHeld, DatabaseUnreachable) as obstacle:
            log.info("job.returned", run_id=claim.run_id, job=claim.job, reason=str(obstacle))
            await persist(
                "returning a run",
                lambda: self.manager.return_runs(
                    self.claims, worker_id=self.worker_id, claims=[claim], wait=RETURN_WAIT
                ),
            )
            self._leave(claim)
            return False
        self._closer.close(ended)
        return True

    def _forget(self, ended: EndedRun) -> None:
        self._observer.ended(ended)
        self._leave(ended.claim)
        self._on_closed(ended)

    def _leave(self, claim: Claim) -> None:
        del self._started[claim.run_id]
        if not self._started:
            self._all_closed.set()

    def _lose_lock(self, lock_key: str) -> None:
        self._runner.cancel_holder(
            lock_key,
            Outcome.LOST,
            Failure("LockSessionLost", f"the session that held lock key {lock_key!r} has ended"),
        )

    def _session(self, purpose: str, dsn: str) -> Session:
        return Session(
            dsn,
            name=f"queue_worker {purpose}",
            connect_timeout=self.settings.connect_timeout,
        )
