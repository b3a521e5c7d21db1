"""Counts and durations of runs, for Prometheus. Fed by the runner alone."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

# 1 ms to 1 h, three steps a decade
_BUCKETS_MS = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 120_000,
    300_000, 600_000, 1_800_000, 3_600_000,
)  # fmt: skip
MOST_ERROR_CLASSES = 20  # of one job; the label of further ones is OTHER_ERROR
OTHER_ERROR = "other"


class JobMetrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._starts = Counter(
            "job_starts", "Runs that were started.", ["job"], registry=self.registry
        )
        self._runs = Counter(
            "job_runs",
            "Runs that have ended and are recorded.",
            ["job", "outcome"],
            registry=self.registry,
        )
        self._failures = Counter(
            "job_failures",
            "Runs that failed, timed out or were lost.",
            ["job", "error"],
            registry=self.registry,
        )
        self._durations = Histogram(
            "job_duration_ms",
            "How long runs took, in milliseconds.",
            ["job"],
            buckets=_BUCKETS_MS,
            registry=self.registry,
        )
        # Finding a series by its labels takes longer than counting.
        self._starts_of = cache(self._starts.labels)
        self._runs_of = cache(self._runs.labels)
        self._durations_of = cache(self._durations.labels)
        self._error_classes: dict[str, set[str]] = {}

    def declare(self, names: Iterable[str], outcomes: Iterable[str]) -> None:
        """Begin these series at 0: the first failure of a job is a rise then, not a new series."""
        endings = list(outcomes)
        for name in names:
            self._starts_of(name)
            self._durations_of(name)
            for outcome in endings:
                self._runs_of(name, outcome)

    def record_job_start(self, name: str) -> None:
        """A run has started."""
        self._starts_of(name).inc()

    def record_job_success(self, name: str, duration_ms: float) -> None:
        """A run has succeeded, and is recorded."""
        self.record_job_end(name, "succeeded", duration_ms)

    def record_job_failure(self, name: str, error: str) -> None:
        """A run has failed; `error` is the class of the error, never its message."""
        self._failures.labels(name, self._error_label(name, error)).inc()

    def record_job_end(self, name: str, outcome: str, duration_ms: float) -> None:
        """A run has ended with this outcome, and is recorded."""
        self._runs_of(name, outcome).inc()
        self._durations_of(name).observe(duration_ms)

    def record_job_lost(self, name: str, error: str) -> None:
        """A run of a dead worker was closed as lost; how long it ran, nobody knows."""
        self._runs_of(name, "lost").inc()
        self.record_job_failure(name, error)

    def _error_label(self, name: str, error: str) -> str:
        """A job that makes up its classes of errors must not make up series without end."""
        known = self._error_classes.setdefault(name, set())
        if error not in known and len(known) >= MOST_ERROR_CLASSES:
            return OTHER_ERROR
        known.add(error)
        return error
