"""Limits and guards of single runs, through a real worker process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker import Settings, SyncQueueClient
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.processes import environment, worker_process


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(without_ticker, settings) as client:
        yield client


def test_a_child_that_wants_too_much_memory_fails_and_the_next_run_is_well(
    database: str, client: SyncQueueClient, notes: Path
) -> None:
    with worker_process(environment(database, TEST_NOTES=str(notes))) as worker:
        client.enqueue("hungry")
        assert worker.wait_for("job.failed", job="hungry")["error"] == "MemoryError"
        client.enqueue("plain")
        worker.wait_for("job.succeeded", job="plain")
        assert worker.stop() == 0


def test_a_blocked_loop_is_reported_with_its_stack_and_the_heartbeat_goes_on(
    database: str, client: SyncQueueClient, connection: Any, notes: Path
) -> None:
    with worker_process(environment(database, TEST_NOTES=str(notes))) as worker:
        client.enqueue("blocks")
        line = worker.wait_for("loop.blocked")
        assert "in blocks" in line["stack"]
        silent = connection.execute(
            "SELECT extract(epoch FROM now() - last_heartbeat_at) FROM queue_worker.worker"
        ).fetchone()
        assert silent[0] < 3
        worker.wait_for("loop.answers_again")
        worker.wait_for("job.succeeded", job="blocks")
        assert worker.stop() == 0


def test_a_restartable_job_that_is_cut_off_goes_back_to_the_queue(
    database: str, client: SyncQueueClient, connection: Any, notes: Path
) -> None:
    env = environment(database, TEST_NOTES=str(notes), QUEUE_WORKER_DRAIN_TIMEOUT="0.2")
    with worker_process(env) as worker:
        client.enqueue("restartable", {"seconds": 9})
        client.enqueue("nap", {"seconds": 9})
        eventually(lambda: notes.read_text().count("start ") == 2)
        assert worker.stop(signal.SIGTERM) == 0
    assert connection.execute(
        "SELECT task_name, status, attempts FROM procrastinate_jobs ORDER BY id"
    ).fetchall() == [("restartable", "todo", 1), ("nap", "aborted", 1)]
    assert connection.execute(
        "SELECT job, outcome, retry_at IS NOT NULL FROM queue_worker.run ORDER BY queue_job_id"
    ).fetchall() == [("restartable", "cancelled", True), ("nap", "cancelled", False)]


def test_a_run_that_holds_its_lock_key_passes_its_fence(
    database: str, client: SyncQueueClient, notes: Path
) -> None:
    with worker_process(environment(database, TEST_NOTES=str(notes))) as worker:
        answer = client.enqueue("fenced")
        worker.wait_for("job.succeeded", job="fenced")
        assert worker.stop() == 0
    assert f"fenced fenced {answer.queue_job_id}.1" in notes.read_text()


@pytest.mark.parametrize("token", ["1.1", "1.3", "9.2", "nonsense"])
def test_a_run_that_has_lost_its_lock_key_does_not_pass_the_fence(
    connection: Any, token: str
) -> None:
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, attempts) "
        "VALUES ('default', 'x', 'L', 'doing', 1)"
    )
    connection.execute("SELECT queue_worker.assert_fence('L', '1.2')")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="does not hold"):
        connection.execute("SELECT queue_worker.assert_fence('L', %s)", [token])


def test_a_rescue_waits_for_the_transaction_that_has_passed_the_fence(
    connection: Any, database: str
) -> None:
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status) "
        "VALUES ('default', 'x', 'L', 'doing')"
    )
    with psycopg.connect(database) as job:
        job.execute("SELECT queue_worker.assert_fence('L', '1.1')")
        connection.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute("UPDATE procrastinate_jobs SET status = 'failed'")
    connection.execute("UPDATE procrastinate_jobs SET status = 'failed'")
