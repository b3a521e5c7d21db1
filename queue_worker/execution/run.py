"""The facts of a run: what was claimed, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from queue_worker.execution.failure import Failure
from queue_worker.execution.outcome import Outcome


@dataclass(slots=True, eq=False)  # not frozen: a batch of claims would take twice the time
class Claim:
    """A row of the queue that this process may run.

    Attributes:
        arguments: the JSON text of the arguments.
        claimed_at: when, by the database's clock.
        restarts: how many of the earlier attempts were cut off and given back.
        losses: how many of the earlier attempts ended `lost`.
        trace: the span it belongs to, as headers: the one that enqueued it, and from its start
            the run's own; None where nothing is traced.
        received: `time.monotonic()` when the claim arrived here; never before `claimed_at`.
        shown: those of the arguments that the job lets log lines show.
    """

    queue_job_id: int
    attempt: int
    job: str
    queue: str
    priority: int
    lock_key: str | None
    arguments: str
    due_at: datetime | None
    enqueued_at: datetime
    claimed_at: datetime
    restarts: int
    losses: int
    trace: Mapping[str, str] | None
    received: float
    shown: dict[str, Any] | None = None

    @property
    def run_id(self) -> str:
        """The run, as `<queue job id>.<attempt>`."""
        return f"{self.queue_job_id}.{self.attempt}"

    @property
    def facts(self) -> dict[str, Any]:
        """What a log line says of it; of its arguments only what the job allows."""
        facts = {
            "run_id": self.run_id,
            "job": self.job,
            "queue": self.queue,
            "attempt": self.attempt,
        }
        return facts | {"arguments": self.shown} if self.shown else facts

    def moment(self, monotonic: float) -> datetime:
        """A moment of this process on the database's clock, at the latest when it really was.

        The claim reached us after the database had stamped it, so the intervals of two runs of
        one lock key can't overlap, whatever the clocks of their hosts say.
        """
        return self.claimed_at + timedelta(seconds=monotonic - self.received)


@dataclass(slots=True, eq=False)
class EndedRun:
    """A run that is over, not yet written.

    Attributes:
        started: `time.monotonic()` when its function was about to be called.
        finished: `time.monotonic()` when it was over.
        failure: what went wrong; None if nothing did.
        retry_wait: seconds until the next attempt; None if there is none.
    """

    claim: Claim
    outcome: Outcome
    started: float
    finished: float
    failure: Failure | None = None
    retry_wait: float | None = None

    @property
    def job(self) -> str:
        """The name of the job."""
        return self.claim.job

    @property
    def is_failure(self) -> bool:
        """Whether somebody should hear of it."""
        return self.outcome.is_failure

    @property
    def error_class(self) -> str | None:
        """The class of the error, if there was one."""
        return self.failure.error_class if self.failure else None

    @property
    def duration_ms(self) -> float:
        """How long it ran, in milliseconds."""
        return (self.finished - self.started) * 1000

    @property
    def facts(self) -> dict[str, Any]:
        """What a log line says of it; of its arguments only what the job allows."""
        facts = self.claim.facts | {"duration_ms": round(self.duration_ms, 1)}
        if self.failure is not None:
            facts |= {"error": self.failure.error_class, "error_message": self.failure.message}
        if self.retry_wait is not None:
            facts["retry_in_s"] = self.retry_wait
        return facts

    @property
    def report(self) -> dict[str, Any]:
        """What a person who waited for it is told."""
        return {
            "run_id": self.claim.run_id,
            "outcome": self.outcome.value,
            "duration_ms": round(self.duration_ms, 1),
            "error_class": self.error_class,
            "error_message": self.failure.message if self.failure else None,
        }
