"""The log of a real worker: every line tells of its run and its worker, and none tells a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from queue_worker import Settings, SyncQueueClient
from tests.support.endpoints import metrics_of
from tests.support.eventually import eventually
from tests.support.log_jobs import SECRET, registry
from tests.support.processes import WorkerProcess, environment, worker_process

TALKS = ["orders.counted", "connecting to postgresql://me:***@host/app", "job.printed"]


@pytest.fixture
def env(database: str) -> dict[str, str]:
    dsn = make_conninfo(database, password=SECRET)  # the server trusts whoever asks
    return environment(dsn, QUEUE_WORKER_APP="tests.support.log_jobs:registry")


@pytest.fixture
def worker(env: dict[str, str]) -> Iterator[WorkerProcess]:
    with worker_process(env) as worker:
        yield worker


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(registry, settings) as client:
        yield client


def about(worker: WorkerProcess, job: str) -> list[dict[str, Any]]:
    return [line for line in worker.lines if line.get("job") == job]


@pytest.mark.parametrize("job", ["talks", "plain_talks"])
def test_every_line_of_a_run_says_whose_it_is(
    worker: WorkerProcess, client: SyncQueueClient, job: str
) -> None:
    queue_job_id = client.enqueue(job, {"number": 5}).queue_job_id
    worker.wait_for("job.succeeded", job=job)
    lines = about(worker, job)
    assert {"job.started", "job.succeeded", *TALKS} == {line["event"] for line in lines}
    worker_id = worker.wait_for("worker.started")["worker_id"]
    for line in lines:
        assert line["run_id"] == f"{queue_job_id}.1"
        assert (line["queue"], line["attempt"], line["worker_id"]) == ("default", 1, worker_id)
        assert line["arguments"] == {"number": 5}
    printed = {(line["stream"], line["text"]) for line in lines if "stream" in line}
    assert {("stdout", "printed to stdout"), ("stderr", "printed to stderr")} <= printed
    if job == "plain_talks":  # a child ends its line with its run
        assert ("stdout", "not ended") in printed
    assert SECRET not in str(worker.lines)
    assert not any(line["event"] == "raw" for line in worker.lines)


def test_arguments_stand_in_no_line_unless_the_job_allows_it(
    worker: WorkerProcess, client: SyncQueueClient
) -> None:
    client.enqueue("silent_about_it")
    client.enqueue("talks")
    for job in ("silent_about_it", "talks"):
        worker.wait_for("job.succeeded", job=job)
    assert "arguments" not in str(about(worker, "silent_about_it"))
    assert "4111" not in str(worker.lines)


@pytest.mark.parametrize("job", ["fails", "plain_fails"])
def test_a_wild_error_leaks_nothing_and_breaks_no_line_label_or_row(
    worker: WorkerProcess, client: SyncQueueClient, connection: psycopg.Connection[Any], job: str
) -> None:
    client.enqueue(job)
    line = worker.wait_for("job.failed", job=job)
    assert line["error"] == "Wi_ld_____0m_"
    assert len(line["error_message"]) < 3_000
    row = connection.execute(
        "SELECT error_class, error_message, traceback FROM queue_worker.run"
    ).fetchone()
    assert row is not None
    assert row[0] == line["error"]
    assert all(0 < len(text) < 9_000 for text in row)
    assert SECRET not in str(row)
    assert SECRET not in str(worker.lines)
    assert "***@host/app *** xxx" in row[1]
    assert not any(line["event"] == "raw" for line in worker.lines)
    key = f'job_failures_total{{error="{row[0]}",job="{job}"}}'
    eventually(lambda: metrics_of(worker).get(key) == 1)


def test_lines_of_procrastinate_stand_in_the_log_once_and_without_arguments(
    worker: WorkerProcess, client: SyncQueueClient
) -> None:
    client.enqueue("talks")
    worker.wait_for("job.succeeded")
    assert not [
        line for line in worker.lines if str(line.get("logger")).startswith("procrastinate")
    ]
