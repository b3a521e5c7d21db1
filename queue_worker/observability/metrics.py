"""Counts and durations of runs, for Prometheus. Fed by the runner alone."""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

# 1 ms to 1 h, three steps a decade
_BUCKETS_MS = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 120_000,
    300_000, 600_000, 1_800_000, 3_600_000,
)  # fmt: skip


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

    def record_job_start(self, name: str) -> None:
        """A run has started."""
        self._starts_of(name).inc()

    def record_job_success(self, name: str, duration_ms: float) -> None:
        """A run has succeeded, and is recorded."""
        self.record_job_end(name, "succeeded", duration_ms)

    def record_job_failure(self, name: str, error: str) -> None:
        """A run has failed; `error` is the class of the error, never its message."""
        self._failures.labels(name, error).inc()

    def record_job_end(self, name: str, outcome: str, duration_ms: float) -> None:
        """A run has ended with this outcome, and is recorded."""
        self._runs_of(name, outcome).inc()
        self._durations_of(name).observe(duration_ms)
