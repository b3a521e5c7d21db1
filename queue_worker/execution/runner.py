"""The one way in which a run is carried out: lock, deadline, call, outcome."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic import BaseModel

from queue_worker.arguments import load_arguments
from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.errors import LockHeld
from queue_worker.execution.children import ChildProcesses
from queue_worker.execution.deadline import Deadline
from queue_worker.execution.failure import Failure, describe_failure
from queue_worker.execution.locks import LockSession
from queue_worker.execution.messages import CallRequest
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.observability.observer import RunObserver
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings


@dataclass(slots=True)
class _Execution:
    """A run in progress; `verdict` is what it ends as once somebody has cancelled it."""

    claim: Claim
    task: asyncio.Task[Any] | None
    verdict: tuple[Outcome, Failure] | None = None
    started: float = field(default_factory=time.monotonic)


class Runner:
    """Carries out runs for one process.

    Args:
        returns_held: whether a run on demand whose lock key is held is refused, to be returned to
            the queue; otherwise it ends `skipped`, as a scheduled one does.
    """

    def __init__(
        self,
        registry: JobRegistry,
        settings: Settings,
        locks: LockSession,
        children: ChildProcesses,
        observer: RunObserver,
        *,
        returns_held: bool,
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._locks = locks
        self._children = children
        self._observer = observer
        self._returns_held = returns_held
        self._executions: dict[str, _Execution] = {}

    async def carry_out(self, claim: Claim) -> EndedRun:
        """Carry out one claimed run.

        Never raises for what the job does: that is the outcome. The lock key is free again when
        this returns; until the run is closed its row in the queue keeps others away.

        Raises:
            LockHeld: a run on demand cannot have its lock key now; it was not started.
            DatabaseUnreachable: its lock key could not be asked for; it was not started.
        """
        execution = _Execution(claim, asyncio.current_task())
        job = self._registry.get(claim.job)
        if self._settings.dry_run:
            return self._end(execution, Outcome.DRY_RUN)
        try:
            if claim.lock_key is not None:
                await self._locks.hold(claim.lock_key)
        except LockHeld as held:
            if self._returns_held and claim.due_at is None:
                raise
            return self._end(execution, Outcome.SKIPPED, Failure("LockHeld", str(held)))
        try:
            return await self._execute(job, execution)
        finally:
            if claim.lock_key is not None:
                await self._locks.release(claim.lock_key)

    def cancel(self, run_id: str, outcome: Outcome, failure: Failure) -> None:
        """Cancel a run that executes; it ends with this outcome."""
        execution = self._executions.get(run_id)
        if execution is not None and execution.verdict is None and execution.task is not None:
            execution.verdict = (outcome, failure)
            execution.task.cancel()

    def cancel_holder(self, lock_key: str, outcome: Outcome, failure: Failure) -> None:
        """Cancel the run that holds this lock key."""
        for run_id, execution in list(self._executions.items()):
            if execution.claim.lock_key == lock_key:
                self.cancel(run_id, outcome, failure)

    @property
    def executing(self) -> list[str]:
        """The ids of the runs that execute."""
        return list(self._executions)

    async def _execute(self, job: JobDefinition[Any], execution: _Execution) -> EndedRun:
        claim = execution.claim
        self._executions[claim.run_id] = execution
        deadline = Deadline(job.timeout.total_seconds())
        facts = {"run_id": claim.run_id, "job": claim.job, "queue": claim.queue,
                 "attempt": claim.attempt}  # fmt: skip
        error: BaseException | None = None
        execution.started = time.monotonic()
        with structlog.contextvars.bound_contextvars(**facts):
            self._observer.started(claim.job, facts)
            try:
                arguments = load_arguments(job, claim.arguments)
                with deadline:
                    await self._call(job, execution, arguments)
            except BaseException as raised:  # noqa: BLE001  whatever a job raises is its outcome
                error = raised
            finally:
                del self._executions[claim.run_id]
        if execution.verdict is not None:
            if execution.task is not None:
                execution.task.uncancel()
            return self._end(execution, *execution.verdict)
        if deadline.expired:
            return self._end_after_failure(job, execution, Outcome.TIMED_OUT, _timed_out(job))
        if error is None:
            return self._end(execution, Outcome.SUCCEEDED)
        if isinstance(error, asyncio.CancelledError):
            cancelled = Failure("CancelledError", "the job cancelled itself")
            return self._end(execution, Outcome.CANCELLED, cancelled)
        return self._end_after_failure(job, execution, Outcome.FAILED, describe_failure(error))

    async def _call(
        self, job: JobDefinition[Any], execution: _Execution, arguments: BaseModel | None
    ) -> None:
        claim = execution.claim
        if not job.is_async:
            await self._children.call(_call_request(job, execution))
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

    def _end_after_failure(
        self, job: JobDefinition[Any], execution: _Execution, outcome: Outcome, failure: Failure
    ) -> EndedRun:
        wait = job.retry.wait_after(execution.claim.attempt) if job.retry else None
        seconds = None if wait is None else wait.total_seconds()
        return self._end(execution, outcome, failure, seconds)

    def _end(
        self,
        execution: _Execution,
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


def _timed_out(job: JobDefinition[Any]) -> Failure:
    return Failure("DeadlineExpired", f"the run took longer than its timeout of {job.timeout}")


def _call_request(job: JobDefinition[Any], execution: _Execution) -> CallRequest:
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
    )
