"""Count the runs that start and end, and sort them by how long they took."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

# 1 ms to 1 h, three steps a decade
_BUCKETS_MS = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 120_000,
    300_000, 600_000, 1_800_000, 3_600_000,
)  # fmt: skip
_BOUNDS = [*map(floatToGoString, _BUCKETS_MS), "+Inf"]


class Tally(Collector):
    """`job_starts_total`, `job_runs_total` and `job_duration_ms`, fed by one thread.

    Another thread may collect them. The library's counters and histogram take a lock and check
    their arguments at each call, which takes 2 µs more for each run.
    """

    def __init__(self) -> None:
        self._starts: dict[str, int] = {}
        self._runs: dict[tuple[str, str], int] = {}
        self._durations: dict[str, list[int]] = {}  # how many runs fell into each bucket
        self._sums: dict[str, float] = {}  # milliseconds

    def declare(self, job: str, outcomes: Iterable[str]) -> None:
        """Begin the series of this job at 0."""
        self._starts.setdefault(job, 0)
        self._declare_durations(job)
        for outcome in outcomes:
            self._runs.setdefault((job, outcome), 0)

    def count_start(self, job: str) -> None:
        """A run has started."""
        self._starts[job] = self._starts.get(job, 0) + 1

    def count_end(self, job: str, outcome: str) -> None:
        """A run has ended."""
        key = job, outcome
        self._runs[key] = self._runs.get(key, 0) + 1

    def time(self, job: str, duration_ms: float) -> None:
        """A run took so long."""
        if job not in self._durations:
            self._declare_durations(job)
        self._durations[job][bisect_left(_BUCKETS_MS, duration_ms)] += 1
        self._sums[job] += duration_ms

    def collect(self) -> Iterator[Metric]:
        """The series as they are now."""
        starts = CounterMetricFamily("job_starts", "Runs that were started.", labels=["job"])
        for job, count in self._starts.copy().items():
            starts.add_metric([job], count)
        yield starts
        runs = CounterMetricFamily(
            "job_runs", "Runs that have ended and are recorded.", labels=["job", "outcome"]
        )
        for (job, outcome), count in self._runs.copy().items():
            runs.add_metric([job, outcome], count)
        yield runs
        durations = HistogramMetricFamily(
            "job_duration_ms", "How long runs took, in milliseconds.", labels=["job"]
        )
        for job, counts in self._durations.copy().items():
            durations.add_metric([job], _as_buckets(counts), self._sums[job])
        yield durations

    def _declare_durations(self, job: str) -> None:
        self._sums.setdefault(job, 0.0)
        self._durations.setdefault(job, [0] * len(_BOUNDS))


def _as_buckets(counts: Iterable[int]) -> list[tuple[str, float]]:
    """Each bucket of Prometheus also holds those below it."""
    return list(zip(_BOUNDS, map(float, accumulate(counts)), strict=True))
