"""Runs are counted where they are recorded, and an observer can change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from queue_worker.observability.metrics import JobMetrics
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


def test_the_helpers_of_the_contract_feed_the_same_series() -> None:
    metrics = JobMetrics()
    metrics.record_job_start("reports")
    metrics.record_job_success("reports", 5.0)
    metrics.record_job_failure("reports", "ValueError")
    assert value(metrics, "job_starts_total") == 1
    assert value(metrics, "job_runs_total", outcome="succeeded") == 1
    assert value(metrics, "job_failures_total", error="ValueError") == 1


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
