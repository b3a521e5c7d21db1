"""What a process needs to carry out runs: an identity, a heartbeat, locks, children, a closer."""

from __future__ import annotations

import asyncio
import functools
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NoReturn

import psycopg
import structlog

from queue_worker.errors import DatabaseUnreachable, LockHeld
from queue_worker.execution.children import ChildProcesses
from queue_worker.execution.failure import Failure
from queue_worker.execution.locks import LockSession
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.execution.runner import OnHeld, Runner
from queue_worker.governance.retention.policies import declared_policies, describe_policies
from queue_worker.housekeeping import WITHOUT_SLOT
from queue_worker.observability.logs import bind_process
from queue_worker.observability.metrics import JobMetrics
from queue_worker.observability.observer import RunObserver
from queue_worker.observability.redaction import register_secrets
from queue_worker.observability.tracing import is_tracing
from queue_worker.observability.worker_metrics import WorkerMetrics
from queue_worker.queue.app import build_app
from queue_worker.queue.fleet import WorkerKind, end_worker, publish_jobs, register_worker
from queue_worker.queue.manager import RunManager
from queue_worker.queue.requests import Item
from queue_worker.registry import JobRegistry
from queue_worker.session import Session
from queue_worker.settings import Settings
from queue_worker.worker import timing
from queue_worker.worker.backoff import persist
from queue_worker.worker.closer import Closer
from queue_worker.worker.exits import EXIT_FAILED, exit_now, within_last_words
from queue_worker.worker.heartbeat import Heartbeat
from queue_worker.worker.turns import EVERYTHING, Hint, Place

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

RETURN_WAIT = 1.0  # seconds before a run whose lock key was held is due again
CLOSE_LOCK_TIMEOUT = 2.0  # seconds to wait for a row that somebody else has locked


class Station:
    """Carries out claimed runs and writes how they ended.

    Args:
        registry: the jobs this process knows.
        settings: its settings.
        on_closed: told of runs once their ends are committed.
        on_disowned: told once if the database says that this process is not alive any more.
        on_given_up: told of every run that ignores its cancellation.
        kind: a worker, or a process for a single inline run.
        on_held: what becomes of a run on demand whose lock key is held.
    """

    def __init__(
        self,
        registry: JobRegistry,
        settings: Settings,
        *,
        on_closed: Callable[[Sequence[EndedRun]], None],
        on_disowned: Callable[[], None],
        on_given_up: Callable[[EndedRun], None] = lambda _: None,
        kind: WorkerKind = "worker",
        on_held: OnHeld = "return",
    ) -> None:
        self.registry = registry
        self.settings = settings
        register_secrets(settings.secrets)  # a run that fails must not write them into the ledger
        self.metrics = JobMetrics()
        self.worker_metrics = WorkerMetrics(self.metrics.registry)
        self._manager: RunManager = build_app(registry, settings).job_manager  # type: ignore[assignment]  # set there
        self._kind: WorkerKind = kind
        self._on_closed = on_closed
        self._on_disowned = on_disowned
        self._on_given_up = on_given_up
        self.observer = RunObserver(self.metrics, self.worker_metrics)
        self._open_claims: dict[int, Claim] = {}
        self._without_slot = 0  # of the open claims
        self._tasks: set[asyncio.Task[bool]] = set()
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._claims = self.session("claims", pinned=True)
        self._closes = self.session("closes", lock_timeout=CLOSE_LOCK_TIMEOUT, pinned=True)
        self._locks = LockSession(
            self.session("locks", time_limit=timing.LOCK_ANSWER),
            watch_interval=timing.LOCK_WATCH,
            idle_interval=timing.HEARTBEAT,
            on_lost=self._lose_lock,
        )
        self._children = ChildProcesses(settings)
        self._runner = _choose_runner(settings)(
            registry,
            settings,
            self._locks,
            self._children,
            self.observer,
            on_given_up=self._close_given_up,
            on_held=on_held,
        )

    async def open(self, queues: Sequence[str], concurrency: int) -> None:
        """Register this process and begin its heartbeat.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        try:
            await self._register(queues, concurrency)
        except BaseException:
            await self._close_sessions()
            raise
        loop = asyncio.get_running_loop()
        insist = functools.partial(self._insist, loop)
        self._heartbeat = Heartbeat(
            self.settings,
            self.worker_id,
            on_silent=functools.partial(insist, self._fence),
            on_disowned=functools.partial(insist, self._disown),
            metrics=self.worker_metrics,
            on_cancelled=lambda reasons: loop.call_soon_threadsafe(self._cancel, reasons),
        )
        self._heartbeat.start()
        self._closer = Closer(
            self._manager, self._closes, self.worker_id, self._forget_all, self.worker_metrics
        )
        self.loops = {
            asyncio.create_task(self._closer.run(), name="closer"),
            asyncio.create_task(self._locks.watch(), name="lock session"),
        }

    def session(
        self,
        purpose: str,
        *,
        time_limit: float = timing.ANSWER,
        lock_timeout: float | None = None,
        pinned: bool = False,
    ) -> Session:
        """A connection of this process's own, straight to the server; see Session."""
        return Session(
            self.settings.direct_dsn,
            name=f"queue_worker {purpose}",
            connect_timeout=self.settings.connect_timeout,
            time_limit=time_limit,
            lock_timeout=lock_timeout,
            pinned=pinned,
        )

    def look_at(self, hint: Hint) -> None:
        """Have the next claim look at what this tells of too."""
        self._manager.floor.lower(hint.first_id, hint.first_due)

    async def claim(self, queues: Sequence[str], free: int) -> float:
        """Claim up to `free` runs and start them.

        Returns the seconds after which a further look may find more; infinite where none will.

        Nothing is claimed while the heartbeat is silent: others may take over soon.

        Raises:
            DatabaseUnreachable: the database does not answer; runs may have been claimed.
        """
        if self._heartbeat.is_silent:
            return math.inf
        claims, until_next = await self._manager.claim_runs(
            self._claims,
            worker_id=self.worker_id,
            jobs=self.registry.names,
            queues=queues or None,
            free=free,
        )
        self.worker_metrics.claimed(len(claims))
        for claim in claims:
            self.start(claim)
        return until_next

    @property
    def is_floor_due(self) -> bool:
        """Whether claims may step over much that is done already; see Floor."""
        return self._manager.floor.is_due

    async def find_floor(self, queues: Sequence[str]) -> None:
        """Have claims begin behind what is done already.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        await self._manager.find_floor(self._claims, queues=queues or None)

    async def claim_new(self, item: Item) -> Claim:
        """Enqueue one job and claim it, unseen by others.

        Raises:
            LockHeld: its lock key is held; nothing was enqueued.
            DatabaseUnreachable: the database does not answer.
        """
        return await self._manager.enqueue_and_claim(
            self._claims, worker_id=self.worker_id, item=item
        )

    async def return_orphans(self) -> None:
        """Give back what is claimed for this process without its knowledge.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        rows = await self._claims.fetch(
            "return_orphans", {"worker_id": self.worker_id, "known": list(self._open_claims)}
        )
        if rows:
            ids = [queue_job_id for (queue_job_id,) in rows]
            log.warning("jobs.returned", queue_job_ids=ids)
            self.look_at(EVERYTHING)

    def start(self, claim: Claim) -> asyncio.Task[bool]:
        """Carry out a claimed run in the background; the task says whether it was, or returned."""
        self._all_closed.clear()
        self._open_claims[claim.queue_job_id] = claim
        self._without_slot += claim.job in WITHOUT_SLOT
        task = asyncio.create_task(self._carry_out(claim))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def occupied(self) -> int:
        """How many runs are claimed and not yet closed."""
        return len(self._open_claims)

    @property
    def heartbeat_age(self) -> float:
        """Seconds since this process last said that it is alive."""
        return self._heartbeat.age

    @property
    def locks(self) -> LockSession:
        """The lock session of this process."""
        return self._locks

    @property
    def slots_taken(self) -> int:
        """How many slots of its concurrency the open runs take."""
        return len(self._open_claims) - self._without_slot

    @property
    def place(self) -> Place:
        """Where this process stands in the fleet; see Place."""
        return self._heartbeat.place

    @property
    def fleet(self) -> int:
        """How many processes live, this one included."""
        return self._heartbeat.fleet

    @property
    def is_stopped(self) -> bool:
        """Whether everything was cancelled: what is started now ends at once."""
        return self._runner.is_stopped

    @property
    def has_given_up(self) -> bool:
        """Whether a run goes on although it is closed."""
        return bool(self._tasks)

    def deadline(self, run_id: str) -> float:
        """When this run must be over, by `time.monotonic()`; may be asked from any thread.

        Where no such run is open: when every run on the event loop must be.
        """
        claims = list(self._open_claims.values())
        asked = [claim for claim in claims if claim.run_id == run_id]
        jobs = ((claim, self.registry.get(claim.job)) for claim in asked or claims)
        return max(
            (claim.received + job.timeout.total_seconds() for claim, job in jobs if job.is_async),
            default=-math.inf,
        )

    def end_process(self, reason: str, **facts: object) -> NoReturn:
        """End the process at once, from any thread; a sibling closes what it leaves."""
        self._children.kill_all()  # nothing may go on under a lock key
        facts = {"reason": reason, "worker_id": self.worker_id, **facts}
        within_last_words(lambda: log.error("worker.failed", **facts))
        exit_now(EXIT_FAILED)

    async def wait_until_closed(self) -> None:
        """Return when every run that was started is closed."""
        await self._all_closed.wait()

    def cancel_all(self, reason: str) -> None:
        """Cancel what executes; it ends `cancelled`."""
        self._runner.cancel_all(Outcome.CANCELLED, Failure("WorkerStopped", reason))

    async def close(self, how: Literal["stopped", "failed"]) -> None:
        """End the loops and sessions, and say how this process has ended."""
        for task in self.loops:
            task.cancel()
        await asyncio.gather(*self.loops, return_exceptions=True)
        await self._children.close()
        await asyncio.to_thread(self._heartbeat.stop)
        try:
            async with asyncio.timeout(timing.LAST_WORDS):
                await self._say_goodbye(how)
        except (DatabaseUnreachable, TimeoutError, psycopg.Error) as error:
            log.warning("worker.end_unrecorded", error=str(error).strip() or "no answer")
        await self._close_sessions()

    async def _register(self, queues: Sequence[str], concurrency: int) -> None:
        self.scheduled_since = await publish_jobs(self._claims, self.registry)
        policies = describe_policies(declared_policies(self.settings))
        await self._claims.fetch("retention_publish_policies", policies)
        self.worker_id = await register_worker(
            self._claims, self.registry, kind=self._kind, queues=queues, concurrency=concurrency
        )
        bind_process(worker_id=self.worker_id)
        await self._locks.open(self.worker_id)

    async def _close_sessions(self) -> None:
        for session in (self._claims, self._closes, self._locks):
            await session.aclose()

    async def _say_goodbye(self, how: Literal["stopped", "failed"]) -> None:
        await self.return_orphans()
        if self._open_claims:  # the reaper of a sibling closes what this process could not
            log.error(
                "jobs.left_behind", run_ids=[claim.run_id for claim in self._open_claims.values()]
            )
        else:
            await end_worker(self._claims, self.worker_id, how)

    async def _carry_out(self, claim: Claim) -> bool:
        try:
            ended = await self._runner.carry_out(claim)
        except (LockHeld, DatabaseUnreachable) as obstacle:
            log.info("job.returned", **claim.facts, reason=str(obstacle))
            await persist(
                "returning a run",
                lambda: self._manager.return_runs(
                    self._closes, worker_id=self.worker_id, claims=[claim], wait=RETURN_WAIT
                ),
            )
            self._leave(claim)
            return False
        if ended is not None:
            self._closer.close(ended)
        return True

    def _close_given_up(self, ended: EndedRun) -> None:
        log.error("job.given_up", **ended.facts)
        if ended.outcome is Outcome.LOST and ended.claim.lock_key is not None:
            # Now only its row in the queue keeps others away: it must end before that is closed.
            self.end_process(f"run {ended.claim.run_id} goes on although it has lost its lock")
        self._closer.close(ended)
        self._on_given_up(ended)

    def _forget_all(self, closed: Sequence[EndedRun]) -> None:
        for ended in closed:
            self.observer.ended(ended)
            self._leave(ended.claim)
        self._on_closed(closed)

    def _leave(self, claim: Claim) -> None:
        if self._open_claims.get(claim.queue_job_id) is claim:
            del self._open_claims[claim.queue_job_id]
            self._without_slot -= claim.job in WITHOUT_SLOT
        if not self._open_claims:
            self._all_closed.set()

    def _insist(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        """From the heartbeat's thread: have the loop do this now, which ends the locked runs.

        If it is blocked, only the end of the process ends them.
        """
        begun = threading.Event()

        def begin() -> None:
            begun.set()
            action()

        loop.call_soon_threadsafe(begin)
        if not begun.wait(timing.INSIST) and self._has_locked_runs:
            self.end_process("the event loop is blocked, and others may take over its lock keys")

    @property
    def _has_locked_runs(self) -> bool:
        is_claimed = any(claim.lock_key for claim in list(self._open_claims.values()))
        return is_claimed or self._locks.is_holding

    def _cancel(self, reasons: Mapping[int, str]) -> None:
        for queue_job_id, reason in reasons.items():
            self._runner.cancel(queue_job_id, Failure("CancelledByOperator", reason))

    def _fence(self) -> None:
        """Others may take over soon: what holds a lock key must not go on."""
        log.warning("worker.fenced", silent_for_s=timing.SILENT)
        failure = Failure("WorkerSilent", f"no heartbeat could be sent for {timing.SILENT:g} s")
        self._runner.cancel_locked(failure)
        self._locks.forget_all()

    def _disown(self) -> None:
        failure = Failure("WorkerDisowned", "the worker was declared dead while it ran")
        self._runner.cancel_all(Outcome.LOST, failure)
        self._on_disowned()

    def _lose_lock(self, lock_key: str) -> None:
        failure = Failure("LockSessionLost", f"the session that held {lock_key!r} has ended")
        self._runner.cancel_locked(failure, lock_key)


def _choose_runner(settings: Settings) -> type[Runner]:
    if not is_tracing(settings):
        return Runner
    from queue_worker.execution.traced import TracedRunner  # noqa: PLC0415  needs an extra

    return TracedRunner
