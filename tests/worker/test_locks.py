"""At most one run holding a lock key executes at any time, in the whole fleet."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from queue_worker import EnqueueRequest, Settings, SyncQueueClient
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.processes import REPOSITORY, call, command, environment, worker_process

OVERLAPS = """
    SELECT a.run_id, b.run_id FROM queue_worker.run AS a
      JOIN queue_worker.run AS b ON a.lock_key = b.lock_key AND a.run_id < b.run_id
       AND a.started_at < b.finished_at AND b.started_at < a.finished_at
"""


@pytest.mark.fault("P7")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_workers_and_ten_inline_runs_of_one_locked_job_never_overlap(
    database: str, settings: Settings, connection: Any, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    env = environment(database, TEST_NOTES=str(notes))
    queued = 60
    with SyncQueueClient(without_ticker, settings) as client, ExitStack() as stack:
        workers = [stack.enter_context(worker_process(env)) for _ in range(10)]
        client.enqueue_many(
            [EnqueueRequest(job="locked", args={"seconds": 0.02}) for _ in range(queued)]
        )
        inline = [
            subprocess.Popen(
                command("run", "locked", "--inline", "--wait", "--args", '{"seconds": 0.02}', "--json"),
                env=env, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(10)
        ]  # fmt: skip
        for process in inline:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            assert json.loads(out)["outcome"] == "succeeded"
        eventually(
            lambda: (
                connection.execute("SELECT count(*) FROM queue_worker.run").fetchone()
                == (queued + 10,)
            ),
            within=120,
        )
        assert [worker.stop() for worker in workers] == [0] * 10
    assert connection.execute(OVERLAPS).fetchall() == []
    assert connection.execute("SELECT DISTINCT outcome FROM queue_worker.run").fetchall() == [
        ("succeeded",)
    ]
    assert overlaps_in(notes) == []


def overlaps_in(notes: Path) -> list[str]:
    """The jobs' own account: between a start and its end nobody else starts."""
    found, running = [], ""
    for line in notes.read_text().splitlines():
        what, _, run_id, _ = line.split()
        if what == "start":
            found += [line] if running else []
            running = run_id
        elif running == run_id:
            running = ""
    return found


def test_an_inline_run_names_the_holder_and_enqueues_nothing(
    database: str, settings: Settings, connection: Any, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    env = environment(database, TEST_NOTES=str(notes))
    with SyncQueueClient(without_ticker, settings) as client, worker_process(env) as worker:
        answer = client.enqueue("locked", {"seconds": 8})
        eventually(lambda: "start locked" in notes.read_text())
        refused = call(env, "run", "locked", "--inline")
        assert refused.returncode == 75, refused.stderr
        assert f"run {answer.queue_job_id}.1 of job locked on worker" in refused.stderr
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (1,)
        worker.process.kill()


@pytest.mark.fault("P7")
def test_an_advisory_lock_that_is_held_sends_a_run_on_demand_back(
    database: str, settings: Settings, connection: Any, tmp_path: Path
) -> None:
    """The third ring: the queue row says free, but somebody still works under the key."""
    notes = tmp_path / "notes"
    notes.touch()
    hold = "SELECT pg_advisory_lock(hashtextextended('queue_worker.lock.the-lock', 0))"
    release = "SELECT pg_advisory_unlock(hashtextextended('queue_worker.lock.the-lock', 0))"
    connection.execute(hold)
    env = environment(database, TEST_NOTES=str(notes))
    with SyncQueueClient(without_ticker, settings) as client, worker_process(env) as worker:
        client.enqueue("locked")
        worker.wait_for("job.returned", job="locked")
        assert notes.read_text() == ""
        connection.execute(release)
        worker.wait_for("job.succeeded", job="locked")
        assert worker.stop() == 0
    assert connection.execute("SELECT attempt, outcome FROM queue_worker.run").fetchall() == [
        (1, "succeeded")
    ]


@pytest.mark.fault("P20")
def test_a_scheduled_run_whose_lock_is_held_is_skipped_and_names_the_holder(
    database: str, connection: Any, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    connection.execute("SELECT pg_advisory_lock(hashtextextended('queue_worker.lock.ticker', 0))")
    env = environment(
        database, TEST_NOTES=str(notes), QUEUE_WORKER_APP="tests.support.jobs:registry"
    )
    with worker_process(env) as worker:
        worker.wait_for("job.skipped", job="ticker")
        assert worker.stop() == 0
    assert notes.read_text() == ""
    outcome, error_class, message = connection.execute(
        "SELECT outcome, error_class, error_message FROM queue_worker.run LIMIT 1"
    ).fetchone()
    assert (outcome, error_class) == ("skipped", "LockHeld")
    assert f"held by backend {connection.info.backend_pid} (test)" in message


def test_an_inline_run_that_waits_for_its_lock_obeys_sigterm(
    database: str, connection: Any, tmp_path: Path
) -> None:
    """The key is held in the third ring alone, so the run is claimed and waits."""
    connection.execute("SELECT pg_advisory_lock(hashtextextended('queue_worker.lock.the-lock', 0))")
    env = environment(database, TEST_NOTES=str(tmp_path / "notes"))
    process = subprocess.Popen(
        command("run", "locked", "--inline", "--wait"),
        env=env, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    doing = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
    eventually(lambda: connection.execute(doing).fetchone() == (1,))
    process.terminate()
    assert process.wait(10) == 1
    assert connection.execute("SELECT outcome FROM queue_worker.run").fetchall() == [("cancelled",)]
    assert connection.execute(doing).fetchone() == (0,)
