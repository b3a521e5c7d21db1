"""Counts and durations of runs, for Prometheus. Fed by the runner alone."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter

from queue_worker.observability.tally import Tally

MOST_ERROR_CLASSES = 20  # of one job; the label of further ones is OTHER_ERROR
OTHER_ERROR = "other"


class JobMetrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._failures = Counter(
            "job_failures",
            "Runs that failed, timed out or were lost.",
            ["job", "error"],
            registry=self.registry,
        )
        self._tally = Tally()
        self.registry.register(self._tally)
        self._error_classes: dict[str, set[str]] = {}

    def declare(self, names: Iterable[str], outcomes: Iterable[str]) -> None:
        """Begin these series at 0: the first failure of a job is a rise then, not a new series."""
        endings = list(outcomes)
        for name in names:
            self._tally.declare(name, endings)

    def record_job_start(self, name: str) -> None:
        """A run has started."""
        self._tally.count_start(name)

    def record_job_success(self, name: str, duration_ms: float) -> None:
        """A run has succeeded, and is recorded."""
        self.record_job_end(name, "succeeded", duration_ms)

    def record_job_failure(self, name: str, error: str) -> None:
        """A run has failed; `error` is the class of the error, never its message."""
        self._failures.labels(name, self._error_label(name, error)).inc()

    def record_job_end(self, name: str, outcome: str, duration_ms: float) -> None:
        """A run has ended with this outcome, and is recorded."""
        self._tally.count_end(name, outcome)
        self._tally.time(name, duration_ms)

    def record_job_lost(self, name: str, error: str) -> None:
        """A run of a dead worker was closed as lost; how long it ran, nobody knows."""
        self._tally.count_end(name, "lost")
        self.record_job_failure(name, error)

    def _error_label(self, name: str, error: str) -> str:
        """A job that makes up its classes of errors must not make up series without end."""
        known = self._error_classes.setdefault(name, set())
        if error not in known and len(known) >= MOST_ERROR_CLASSES:
            return OTHER_ERROR
        known.add(error)
        return error
