"""Tell of runs: one log line and the metrics for each, once it is recorded.

An observer stands outside the run. What goes wrong here is logged and changes no outcome.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

import structlog

from queue_worker.observability.metrics import JobMetrics

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

    def __init__(self, metrics: JobMetrics) -> None:
        self._metrics = metrics

    def started(self, run: StartedRun) -> None:
        """A run is about to call its function."""
        try:
            self._metrics.record_job_start(run.job)
            if log.is_enabled_for(logging.INFO):  # or else its facts are not even put together
                log.info("job.started", **run.facts)
        except Exception:
            log.exception("observer.failed", job=run.job)

    def ended(self, run: ObservedRun) -> None:
        """A run has ended and is recorded."""
        try:
            self._metrics.record_job_end(run.job, run.outcome, run.duration_ms)
            if run.is_failure and run.error_class:
                self._metrics.record_job_failure(run.job, run.error_class)
            event = f"job.{run.outcome}"
            if run.is_failure:
                log.error(event, **run.facts)
            elif log.is_enabled_for(logging.INFO):
                log.info(event, **run.facts)
        except Exception:
            log.exception("observer.failed", job=run.job)
