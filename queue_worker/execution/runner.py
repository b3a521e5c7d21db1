"""The one way in which a run is carried out: lock, deadline, call, outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal

from queue_worker.arguments import load_arguments, pick_fields
from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.errors import LockHeld
from queue_worker.execution.children import ChildProcesses
from queue_worker.execution.deadlines import Deadlines
from queue_worker.execution.execution import Execution
from queue_worker.execution.failure import Failure, describe_failure
from queue_worker.execution.locks import LockSession
from queue_worker.execution.messages import CallRequest
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.observability.logs import current_run, process_facts
from queue_worker.observability.observer import RunObserver
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings

OnHeld = Literal["return", "skip", "wait"]
MOST_LOSSES = 3  # then even a restartable job is not run again; also in sql/functions/rescue_worker
_HELD_WAIT = 0.2  # seconds between two tries for a lock key that is waited for


class Runner:
    """Carries out runs for one process.

    Args:
        on_given_up: told of a run that ignored its cancellation. It is over for the queue, but
            goes on in this process and keeps its lock key until it really ends.
        on_held: what becomes of a run on demand whose lock key is held: it is refused, to be
            returned to the queue; or it ends `skipped`, as a scheduled one does; or it waits.
    """

    def __init__(
        self,
        registry: JobRegistry,
        settings: Settings,
        locks: LockSession,
        children: ChildProcesses,
        observer: RunObserver,
        *,
        on_given_up: Callable[[EndedRun], None],
        on_held: OnHeld,
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._locks = locks
        self._children = children
        self._observer = observer
        self._on_given_up = on_given_up
        self._on_held = on_held
        self._executions: set[Execution] = set()
        self._deadlines = Deadlines()
        self._stopped: tuple[Outcome, Failure] | None = None

    async def carry_out(self, claim: Claim) -> EndedRun | None:
        """Carry out one claimed run; None if it was given up and has only now ended.

        Never raises for what the job does: that is the outcome. The lock key is free again when
        this returns; until the run is closed its row in the queue keeps others away.

        Raises:
            LockHeld: a run on demand cannot have its lock key now; it was not started.
            DatabaseUnreachable: its lock key could not be asked for; it was not started.
        """
        execution = Execution(
            claim, grace=self._settings.cancel_grace, on_given_up=self._report_given_up
        )
        if self._settings.dry_run:
            return _end(execution, Outcome.DRY_RUN)
        try:
            if claim.lock_key is not None:
                await self._hold(claim.lock_key)
        except LockHeld as held:
            self._observer.lock_held()
            if self._on_held == "return" and claim.due_at is None:
                raise
            if self._stopped is not None:
                return _end(execution, *self._stopped)
            return _end(execution, Outcome.SKIPPED, Failure("LockHeld", str(held)))
        try:
            if self._stopped is not None:
                return _end(execution, *self._stopped)
            ended = await self._execute(self._registry.get(claim.job), execution)
        finally:
            if claim.lock_key is not None:
                await self._locks.release(claim.lock_key)
        return None if execution.is_given_up else ended

    @property
    def is_stopped(self) -> bool:
        """Whether every run was cancelled: what is carried out from now on ends at once."""
        return self._stopped is not None

    def cancel_all(self, outcome: Outcome, failure: Failure) -> None:
        """Cancel every run, also what waits for its lock key; they end with this outcome."""
        self._stopped = (outcome, failure)
        for execution in list(self._executions):
            execution.cancel(outcome, failure)

    def cancel(self, queue_job_id: int, failure: Failure) -> None:
        """Cancel the run of this queued job, for good: even a restartable one is not run again."""
        for execution in list(self._executions):
            if execution.claim.queue_job_id == queue_job_id:
                execution.cancel(Outcome.CANCELLED, failure, for_good=True)

    def cancel_locked(self, failure: Failure, lock_key: str | None = None) -> None:
        """Cancel without grace the run that holds this lock key, or all that hold one: `lost`."""
        for execution in list(self._executions):
            held = execution.claim.lock_key
            if held is not None and lock_key in {held, None}:
                execution.cancel(Outcome.LOST, failure, grace=0)

    async def _hold(self, lock_key: str) -> None:
        while True:
            try:
                await self._locks.hold(lock_key)
            except LockHeld:
                if self._on_held != "wait" or self._stopped is not None:
                    raise
                await asyncio.sleep(_HELD_WAIT)
            else:
                return

    async def _execute(self, job: JobDefinition[Any], execution: Execution) -> EndedRun:
        claim, timeout = execution.claim, job.timeout.total_seconds()
        self._executions.add(execution)
        if job.log_fields:
            claim.shown = pick_fields(claim.arguments, job.log_fields)
        error: BaseException | None = None
        current_run.set(claim)  # for the rest of this task, which is all about it
        self._observer.started(claim)
        execution.begin()
        self._deadlines.add(execution, timeout)
        try:
            await self._call(job, execution)
        except BaseException as raised:  # noqa: BLE001  whatever a job raises is its outcome
            error = raised
        finally:
            self._deadlines.discard(execution, timeout)
            execution.end()
            self._executions.discard(execution)
        return _judge(job, execution, error)

    async def _call(self, job: JobDefinition[Any], execution: Execution) -> None:
        claim = execution.claim
        arguments = load_arguments(job, claim.arguments)
        if not job.is_async:
            await self._children.call(_call_request(job, execution), lambda: execution.grace)
            return
        context = JobContext(
            job=claim.job,
            run_id=claim.run_id,
            attempt=claim.attempt,
            queue=claim.queue,
            lock_key=claim.lock_key,
            due_at=claim.due_at,
            enqueued_at=claim.enqueued_at,
            timeout=job.timeout.total_seconds(),
            started=execution.started,
            settings=self._settings,
        )
        await (job.function(context) if arguments is None else job.function(context, arguments))

    def _report_given_up(self, execution: Execution) -> None:
        job = self._registry.get(execution.claim.job)
        self._on_given_up(_judge(job, execution, None))


def _judge(job: JobDefinition[Any], execution: Execution, error: BaseException | None) -> EndedRun:
    """What a run ends as; what it was cancelled for outweighs what it says of itself."""
    if execution.verdict is not None:
        outcome, failure = execution.verdict
        if (
            outcome is Outcome.LOST
            and job.restartable
            and execution.claim.losses + 1 >= MOST_LOSSES
        ):
            return _end(execution, outcome, _quarantined(failure))
        if execution.is_last:
            return _end(execution, outcome, failure)
        return _end(execution, outcome, failure, _wait_before_next(job, execution, outcome))
    if error is None:
        return _end(execution, Outcome.SUCCEEDED)
    if isinstance(error, asyncio.CancelledError):
        cancelled = Failure("CancelledError", "the job cancelled itself")
        return _end(execution, Outcome.CANCELLED, cancelled)
    wait = _wait_before_next(job, execution, Outcome.FAILED)
    return _end(execution, Outcome.FAILED, describe_failure(error), wait)


def _quarantined(failure: Failure) -> Failure:
    message = f"{failure.message}; not run again: it was lost {MOST_LOSSES} times"
    return Failure("Quarantined", message, failure.traceback)


def _wait_before_next(
    job: JobDefinition[Any], execution: Execution, outcome: Outcome
) -> float | None:
    """Seconds until the next attempt; None unless the job has declared one."""
    if outcome in {Outcome.FAILED, Outcome.TIMED_OUT}:
        charged = execution.claim.attempt - execution.claim.restarts
        wait = job.retry.wait_after(charged) if job.retry else None
        return None if wait is None else wait.total_seconds()
    return 0.0 if job.restartable else None


def _end(
    execution: Execution,
    outcome: Outcome,
    failure: Failure | None = None,
    retry_wait: float | None = None,
) -> EndedRun:
    return EndedRun(
        claim=execution.claim,
        outcome=outcome,
        started=execution.started,
        finished=time.monotonic(),
        failure=failure,
        retry_wait=retry_wait,
    )


def _call_request(job: JobDefinition[Any], execution: Execution) -> CallRequest:
    claim = execution.claim
    timeout = job.timeout.total_seconds()
    return CallRequest(
        module=job.function.__module__,
        qualname=job.function.__qualname__,
        model=(job.args.__module__, job.args.__qualname__) if job.args else None,
        arguments=claim.arguments,
        job=claim.job,
        run_id=claim.run_id,
        attempt=claim.attempt,
        queue=claim.queue,
        lock_key=claim.lock_key,
        due_at=claim.due_at.isoformat() if claim.due_at else None,
        enqueued_at=claim.enqueued_at.isoformat(),
        timeout=timeout,
        remaining=execution.started + timeout - time.monotonic(),
        max_memory_mb=job.max_memory_mb,
        facts=process_facts() | claim.facts,
        trace=claim.trace,
    )
