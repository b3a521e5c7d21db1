"""Every way a run can end, through a real worker process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker import EnqueueRequest, Settings, SyncQueueClient
from queue_worker.schemas import run_prefix, schema_names
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.processes import WorkerProcess, environment, worker_process


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def worker(database: str, notes: Path) -> Iterator[WorkerProcess]:
    with worker_process(environment(database, TEST_NOTES=str(notes))) as worker:
        yield worker
        assert worker.stop() == 0, worker.lines[-10:]


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(without_ticker, settings) as client:
        yield client


def ledger(connection: psycopg.Connection[Any]) -> dict[str, tuple[Any, ...]]:
    rows = connection.execute(
        "SELECT job, outcome, error_class, error_message FROM queue_worker.run"
    )
    return {job: rest for job, *rest in rows}


def wait_for_runs(connection: psycopg.Connection[Any], count: int) -> None:
    eventually(
        lambda: (
            connection.execute("SELECT count(*) = %s FROM queue_worker.run", [count]).fetchone()
            == (True,)
        )
    )


@pytest.mark.fault("P16", "P18", "P19")
def test_every_outcome_is_recorded_once(
    worker: WorkerProcess, client: SyncQueueClient, connection: Any, notes: Path
) -> None:
    expected = {
        "noop": ("succeeded", None, None),
        "boom": ("failed", "ValueError", "it went boom"),
        "slow": ("timed_out", "DeadlineExpired", None),
        "own_timeout": ("failed", "TimeoutError", "my own"),
        "swallows": ("timed_out", "DeadlineExpired", None),
        "cancels_itself": ("cancelled", "CancelledError", None),
        "exits": ("failed", "SystemExit", "3"),
        "plain": ("succeeded", None, None),
        "plain_boom": ("failed", "KeyError", "'in the child'"),
        "plain_slow": ("timed_out", "DeadlineExpired", None),
        "plain_exit": ("failed", "SystemExit", "4"),
        "plain_crash": ("failed", "ChildDied", None),
        "forgets_await": ("failed", "RunError", None),
        "plain_sql": ("succeeded", None, None),
        "async_sql": ("succeeded", None, None),
    }
    answers = client.enqueue_many([EnqueueRequest(job=job) for job in expected])
    wait_for_runs(connection, len(expected))
    found = ledger(connection)
    for job, (outcome, error_class, message) in expected.items():
        assert found[job][:2] == [outcome, error_class], (job, found[job])
        assert message is None or found[job][2] == message
    assert connection.execute(
        "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    ).fetchone() == (0,)
    plain_sql = answers[list(expected).index("plain_sql")].queue_job_id
    lines = notes.read_text().splitlines()
    run = run_prefix(schema_names().ours)
    assert any(line.startswith(f"sql {run}{plain_sql}.1 plain_sql ") for line in lines)
    pids = next(line.split()[1:3] for line in lines if line.startswith("pids"))
    for pid in map(int, pids):
        eventually(lambda pid=pid: not is_alive(pid))
    client.enqueue("noop")  # after all that, the worker still works
    wait_for_runs(connection, len(expected) + 1)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_declared_retry_is_carried_out_and_each_attempt_recorded(
    worker: WorkerProcess, client: SyncQueueClient, connection: Any
) -> None:
    client.enqueue("boom_again")
    wait_for_runs(connection, 3)
    rows = connection.execute(
        "SELECT attempt, outcome, retry_at IS NULL FROM queue_worker.run ORDER BY 1"
    )
    assert rows.fetchall() == [(1, "failed", False), (2, "failed", False), (3, "failed", True)]
    worker.wait_for("job.failed", attempt=3)


@pytest.mark.fault("P14")
def test_without_a_policy_nothing_is_retried(
    worker: WorkerProcess, client: SyncQueueClient, connection: Any
) -> None:
    client.enqueue("boom")
    worker.wait_for("job.failed", job="boom")
    assert connection.execute("SELECT status, attempts FROM procrastinate_jobs").fetchall() == [
        ("failed", 1)
    ]


@pytest.mark.parametrize("raw", ["[]", "null", '"text"', "7", '{"seconds": "many"}'])
def test_arguments_that_do_not_fit_fail_the_run(
    worker: WorkerProcess, connection: Any, raw: str
) -> None:
    """Raw SQL can write anything; plain procrastinate leaves such a row `doing` for ever."""
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', 'nap', %s)",
        [raw],
    )
    wait_for_runs(connection, 1)
    assert ledger(connection)["nap"][:2] == ["failed", "ArgumentsError"]


@pytest.mark.fault("F26", "P11")
def test_an_unknown_job_waits_for_a_worker_that_knows_it(
    worker: WorkerProcess, client: SyncQueueClient, connection: Any
) -> None:
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'new')"
    )
    client.enqueue("noop")
    wait_for_runs(connection, 1)
    assert connection.execute(
        "SELECT status FROM procrastinate_jobs WHERE task_name = 'new'"
    ).fetchone() == ("todo",)


@pytest.mark.fault("P34")
def test_a_log_line_tells_of_each_run_and_never_of_arguments(
    worker: WorkerProcess, client: SyncQueueClient
) -> None:
    answer = client.enqueue("nap", {"name": "canary-argument"})
    line = worker.wait_for("job.succeeded", run_id=f"{answer.queue_job_id}.1")
    assert line["job"] == "nap"
    assert line["duration_ms"] >= 0
    assert "canary-argument" not in str(worker.lines)


@pytest.mark.fault("P20")
def test_dry_run_records_and_calls_nothing(
    database: str, client: SyncQueueClient, connection: Any, notes: Path
) -> None:
    with worker_process(environment(database, TEST_NOTES=str(notes), JOB_DRY_RUN="1")) as worker:
        client.enqueue_many([EnqueueRequest(job="nap"), EnqueueRequest(job="plain")])
        wait_for_runs(connection, 2)
        worker.wait_for("job.dry_run", job="plain")
        assert worker.stop() == 0
    assert {outcome for outcome, *_ in ledger(connection).values()} == {"dry_run"}
    assert notes.read_text() == ""
    assert connection.execute("SELECT DISTINCT dry_run FROM queue_worker.run").fetchall() == [
        (True,)
    ]


def test_sigterm_drains(
    database: str, client: SyncQueueClient, connection: Any, notes: Path
) -> None:
    with worker_process(
        environment(database, TEST_NOTES=str(notes)), "--concurrency", "1"
    ) as worker:
        client.enqueue("nap", {"seconds": 1.0, "name": "first"})
        client.enqueue("nap", {"name": "second"})
        eventually(lambda: "start first" in notes.read_text())
        assert worker.stop(signal.SIGTERM) == 0
    assert "end first" in notes.read_text()
    assert "second" not in notes.read_text()
    assert connection.execute("SELECT status FROM procrastinate_jobs ORDER BY id").fetchall() == [
        ("succeeded",),
        ("todo",),
    ]
    assert connection.execute("SELECT ended_how FROM queue_worker.worker").fetchall() == [
        ("stopped",)
    ]
    assert connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone() == (0,)


def test_a_second_signal_hurries(
    database: str, client: SyncQueueClient, connection: Any, notes: Path
) -> None:
    with worker_process(environment(database, TEST_NOTES=str(notes))) as worker:
        client.enqueue("nap", {"seconds": 9.0})
        eventually(lambda: "start nap" in notes.read_text())
        worker.process.send_signal(signal.SIGTERM)
        worker.wait_for("worker.draining")
        assert worker.stop(signal.SIGTERM, within=10) == 0
    assert ledger(connection)["nap"][:2] == ["cancelled", "WorkerStopped"]
    assert connection.execute(
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
    ).fetchone() == (0,)
