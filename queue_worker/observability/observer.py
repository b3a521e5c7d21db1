"""Tell of runs: one log line and the metrics for each, once it is recorded.

An observer stands outside the run. What goes wrong here is logged and changes no outcome.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from queue_worker.observability.metrics import JobMetrics
from queue_worker.observability.worker_metrics import WorkerMetrics

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("queue_worker.runs")


class StartedRun(Protocol):
    """What an observer needs to know of a run that starts."""

    @property
    def job(self) -> str: ...
    @property
    def facts(self) -> dict[str, Any]: ...


class ObservedRun(StartedRun, Protocol):
    """What an observer needs to know of a run that has ended."""

    @property
    def outcome(self) -> str: ...
    @property
    def is_failure(self) -> bool: ...
    @property
    def duration_ms(self) -> float: ...
    @property
    def error_class(self) -> str | None: ...


class RunObserver:
    """Watches the runs of one process."""

    def __init__(self, metrics: JobMetrics, worker_metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._worker_metrics = worker_metrics
        self._tells_of_each = log.is_enabled_for(logging.INFO)  # asking takes longer than counting

    def started(self, run: StartedRun) -> None:
        """A run is about to call its function."""
        try:
            self._metrics.record_job_start(run.job)
            if self._tells_of_each:  # or else its facts are not even put together
                log.info("job.started", **run.facts)
        except Exception:
            log.exception("observer.failed", job=run.job)

    def lock_held(self) -> None:
        """A run has found its lock key held."""
        try:
            self._worker_metrics.lock_waits.inc()
        except Exception:
            log.exception("observer.failed")

    def rescued(self, lost_id: int, runs: Sequence[tuple[str, str, str]]) -> None:
        """A dead worker was found, and what it had left is closed; `runs` as in closed_lost."""
        try:
            log.error("worker.lost", lost_id=lost_id, runs=len(runs))
        except Exception:
            log.exception("observer.failed")
        self.closed_lost(runs)

    def closed_lost(self, runs: Sequence[tuple[str, str, str]]) -> None:
        """Runs whose worker is gone are closed.

        Args:
            runs: of each the id, the job, and what became of its place in the queue.
        """
        try:
            self._worker_metrics.reaped(len(runs))
            for run_id, job, then in runs:
                error = "Quarantined" if then == "quarantined" else "WorkerLost"
                self._metrics.record_job_lost(job, error)
                log.error("job.lost", run_id=run_id, job=job, error=error, then=then)
        except Exception:
            log.exception("observer.failed")

    def ended(self, run: ObservedRun) -> None:
        """A run has ended and is recorded."""
        try:
            self._metrics.record_job_end(run.job, run.outcome, run.duration_ms)
            if run.is_failure and run.error_class:
                self._metrics.record_job_failure(run.job, run.error_class)
            if run.is_failure or self._tells_of_each:
                event = f"job.{run.outcome}"
                if run.is_failure:
                    log.error(event, **run.facts)
                else:
                    log.info(event, **run.facts)
        except Exception:
            log.exception("observer.failed", job=run.job)
