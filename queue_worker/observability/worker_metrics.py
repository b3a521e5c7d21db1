"""Counts of one worker process: its claims, closes, locks and heartbeat, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class WorkerMetrics:
    """What happens in one process, beside its runs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.claims = Counter(
            "queue_worker_claims", "Looks into the queue that were answered.", registry=registry
        )
        self.claimed_runs = Counter(
            "queue_worker_claimed_runs", "Runs that were claimed.", registry=registry
        )
        self.close_batch = Histogram(
            "queue_worker_close_batch_runs",
            "How many runs were closed by one statement.",
            buckets=_BATCH,
            registry=registry,
        )
        self.close_seconds = Histogram(
            "queue_worker_close_duration_seconds",
            "How long it took to close them, outages included.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.lock_waits = Counter(
            "queue_worker_lock_waits",
            "Runs that found their lock key held, and were returned or skipped.",
            registry=registry,
        )
        self.heartbeats = Counter(
            "queue_worker_heartbeats", "Heartbeats that were renewed.", registry=registry
        )
        self.heartbeat_failures = Counter(
            "queue_worker_heartbeat_failures", "Heartbeats that could not be.", registry=registry
        )
        self.reaped_workers = Counter(
            "queue_worker_reaped_workers", "Dead workers that this one found.", registry=registry
        )
        self.reaped_runs = Counter(
            "queue_worker_reaped_runs", "Runs of theirs that it closed.", registry=registry
        )

    def claimed(self, runs: int) -> None:
        """A look into the queue was answered with so many runs."""
        self.claims.inc()
        if runs:
            self.claimed_runs.inc(runs)

    def closed(self, runs: int, seconds: float) -> None:
        """So many runs were closed by one statement, in this time."""
        self.close_batch.observe(runs)
        self.close_seconds.observe(seconds)

    def reaped(self, runs: int) -> None:
        """A dead worker was found, and so many runs of its were closed."""
        self.reaped_workers.inc()
        self.reaped_runs.inc(runs)

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A gauge that is read when somebody asks, from another thread."""
        Gauge(name, meaning, registry=self._registry).set_function(value)
