"""Runs are counted where they are recorded, and an observer can change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from queue_worker.execution.outcome import Outcome
from queue_worker.observability.metrics import MOST_ERROR_CLASSES, OTHER_ERROR, JobMetrics
from queue_worker.observability.observer import RunObserver
from queue_worker.observability.worker_metrics import WorkerMetrics


class Ended:
    """A run that has ended, as an observer sees it."""

    def __init__(self, outcome: str, error_class: str | None = None) -> None:
        self.job = "reports"
        self.outcome = outcome
        self.is_failure = outcome in {"failed", "timed_out", "lost"}
        self.duration_ms = 12.0
        self.error_class = error_class

    @property
    def facts(self) -> dict[str, Any]:
        return {"job": self.job, "run_id": "1.1"}


def value(metrics: JobMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"job": "reports", **labels})


def test_a_run_is_counted_by_outcome_and_timed() -> None:
    metrics = JobMetrics()
    observer = RunObserver(metrics, WorkerMetrics(metrics.registry))
    observer.started(Ended("succeeded"))
    observer.ended(Ended("succeeded"))
    observer.ended(Ended("failed", "ValueError"))
    observer.ended(Ended("skipped", "LockHeld"))
    assert value(metrics, "job_runs_total", outcome="succeeded") == 1
    assert value(metrics, "job_runs_total", outcome="failed") == 1
    assert value(metrics, "job_runs_total", outcome="skipped") == 1
    assert value(metrics, "job_failures_total", error="ValueError") == 1
    assert value(metrics, "job_failures_total", error="LockHeld") is None
    assert value(metrics, "job_duration_ms_count") == 3
    assert value(metrics, "job_duration_ms_sum") == 36


def test_a_duration_is_in_its_bucket_and_in_all_above_it() -> None:
    metrics = JobMetrics()
    for duration_ms in (0.0, 5.0, 5.1, 4_000_000.0):
        metrics.record_job_success("reports", duration_ms)
    reached = {
        bound: value(metrics, "job_duration_ms_bucket", le=bound)
        for bound in ("1.0", "2.0", "5.0", "10.0", "3.6e+06", "+Inf")
    }
    assert reached == {"1.0": 1, "2.0": 1, "5.0": 2, "10.0": 3, "3.6e+06": 3, "+Inf": 4}


def test_the_helpers_of_the_contract_feed_the_same_series() -> None:
    metrics = JobMetrics()
    metrics.record_job_start("reports")
    metrics.record_job_success("reports", 5.0)
    metrics.record_job_failure("reports", "ValueError")
    assert value(metrics, "job_starts_total") == 1
    assert value(metrics, "job_runs_total", outcome="succeeded") == 1
    assert value(metrics, "job_failures_total", error="ValueError") == 1


def test_a_job_that_makes_up_its_errors_makes_up_no_series_without_end() -> None:
    metrics = JobMetrics()
    for number in range(100):
        metrics.record_job_failure("reports", f"Error{number}")
    metrics.record_job_failure("reports", "Error3")
    (failures,) = (f for f in metrics.registry.collect() if f.name == "job_failures")
    labels = {s.labels["error"] for s in failures.samples if s.name == "job_failures_total"}
    assert len(labels) == MOST_ERROR_CLASSES + 1
    assert value(metrics, "job_failures_total", error="Error3") == 2
    assert value(metrics, "job_failures_total", error=OTHER_ERROR) == 100 - MOST_ERROR_CLASSES
    metrics.record_job_failure("another", "Error99")
    assert metrics.registry.get_sample_value(
        "job_failures_total", {"job": "another", "error": "Error99"}
    )


def test_series_begin_at_zero_so_that_the_first_failure_is_a_rise() -> None:
    metrics = JobMetrics()
    assert value(metrics, "job_runs_total", outcome="failed") is None
    metrics.declare(["reports"], Outcome)
    for outcome in Outcome:
        assert value(metrics, "job_runs_total", outcome=outcome) == 0
    assert value(metrics, "job_duration_ms_count") == 0


def test_an_outcome_and_its_word_are_one_series() -> None:
    metrics = JobMetrics()
    metrics.declare(["reports"], Outcome)
    metrics.record_job_success("reports", 5.0)
    metrics.record_job_lost("reports", "WorkerLost")
    metrics.record_job_end("reports", Outcome.LOST, 5.0)
    (runs,) = (f for f in metrics.registry.collect() if f.name == "job_runs")
    assert sorted(s.value for s in runs.samples) == [0, 0, 0, 0, 0, 1, 2]


def test_a_run_of_a_dead_worker_is_counted_and_told_of_by_who_found_it() -> None:
    metrics = JobMetrics()
    observer = RunObserver(metrics, WorkerMetrics(metrics.registry))
    with capture_logs() as logs:
        observer.rescued(7, [("1.1", "reports", "failed"), ("2.4", "reports", "quarantined")])
        observer.rescued(8, [])
    assert value(metrics, "job_runs_total", outcome="lost") == 2
    assert value(metrics, "job_failures_total", error="WorkerLost") == 1
    assert value(metrics, "job_failures_total", error="Quarantined") == 1
    sample = metrics.registry.get_sample_value
    assert sample("queue_worker_reaped_workers_total") == 2
    assert sample("queue_worker_reaped_runs_total") == 2
    assert [line["event"] for line in logs] == [
        "worker.lost",
        "job.lost",
        "job.lost",
        "worker.lost",
    ]


@pytest.mark.fault("P20")
@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_what_goes_wrong_in_an_observer_is_logged_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    metrics = JobMetrics()

    def breaks(*_: object) -> None:
        raise RuntimeError("the registry is gone")

    monkeypatch.setattr(metrics, "record_job_end", breaks)
    monkeypatch.setattr(metrics, "record_job_start", breaks)
    observer = RunObserver(metrics, WorkerMetrics(metrics.registry))
    with capture_logs() as logs:
        observer.started(Ended(outcome))
        observer.ended(Ended(outcome))
    assert [line["event"] for line in logs] == ["observer.failed", "observer.failed"]
