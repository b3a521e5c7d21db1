"""What an operator asks for reaches running workers within a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker import EnqueueRequest, Settings, SyncQueueClient
from queue_worker.errors import JobPaused
from queue_worker.worker.inline import run_inline
from tests.support import jobs
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.processes import WorkerProcess, environment, worker_process

Connection = psycopg.Connection[Any]
TICKER = "tests.support.jobs:registry"


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "notes"
    path.touch()
    monkeypatch.setenv("TEST_NOTES", str(path))
    return path


@pytest.fixture
def env(database: str, notes: Path) -> dict[str, str]:
    # Polls so seldom that only a notification can be what makes a worker look.
    return environment(database, TEST_NOTES=str(notes), QUEUE_WORKER_POLL_INTERVAL="60")


@pytest.fixture
def worker(env: dict[str, str]) -> Iterator[WorkerProcess]:
    with worker_process(env) as worker:
        yield worker
        assert worker.stop() == 0, worker.lines[-10:]


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(without_ticker, settings) as client:
        yield client


def ask(connection: Connection, function: str, *arguments: Any) -> Any:
    marks = ", ".join(["%s"] * (len(arguments) + 2))
    found = connection.execute(
        f"SELECT queue_worker.{function}({marks})", [*arguments, "ada", "because"]
    ).fetchone()
    assert found is not None
    return found[0]


def runs(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT job, outcome, error_class, error_message FROM queue_worker.run ORDER BY finished_at"
    ).fetchall()


def started(notes: Path, name: str) -> bool:
    return any(line.startswith(f"start {name} ") for line in notes.read_text().splitlines())


@pytest.mark.parametrize(("kind", "name"), [("job", "nap"), ("queue", "default")])
def test_what_is_paused_waits_in_the_whole_fleet_and_goes_on_when_it_is_resumed(
    env: dict[str, str], connection: Connection, client: SyncQueueClient, kind: str, name: str
) -> None:
    with worker_process(env), worker_process(env):
        client.enqueue("noop")
        eventually(lambda: runs(connection))
        ask(connection, f"pause_{kind}", name)
        client.enqueue_many([EnqueueRequest(job="nap") for _ in range(20)])
        if kind == "job":  # what comes after it in the same queue is claimed: they have looked
            client.enqueue("noop")
            eventually(lambda: len(runs(connection)) == 2)
        else:
            connection.execute("SELECT queue_worker.wake_workers()")
            with pytest.raises(AssertionError, match="not so"):
                eventually(lambda: len(runs(connection)) > 1, within=1.5)
        assert "nap" not in {job for job, *_ in runs(connection)}
        waiting = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
        assert connection.execute(waiting).fetchone() == (20,)
        ask(connection, f"resume_{kind}", name)
        eventually(lambda: connection.execute(waiting).fetchone() == (0,), within=5)
        eventually(lambda: [job for job, *_ in runs(connection)].count("nap") == 20)


def test_the_schedule_of_a_paused_job_stops_without_a_pile_up(
    env: dict[str, str], connection: Connection
) -> None:
    def ticks(state: str) -> int:
        found = connection.execute(
            "SELECT count(*) FROM queue_worker.tick WHERE job = 'ticker' AND state = %s", [state]
        ).fetchone()
        assert found is not None
        return int(found[0])

    with worker_process(env | {"QUEUE_WORKER_APP": TICKER}) as worker:
        eventually(lambda: ticks("enqueued") >= 1)
        ask(connection, "pause_job", "ticker")
        worker.wait_for("tick.skipped", job="ticker")
        eventually(lambda: ticks("skipped") >= 2)
        reasons = "SELECT DISTINCT reason FROM queue_worker.tick WHERE state = 'skipped'"
        assert ("paused by ada: because",) in connection.execute(reasons).fetchall()
        waiting = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
        found = connection.execute(waiting).fetchone()
        assert found is not None
        assert found[0] <= 1
        before = ticks("enqueued")
        ask(connection, "resume_job", "ticker")
        eventually(lambda: ticks("enqueued") > before)
        assert ticks("missed") == 0


def test_an_inline_run_of_a_paused_job_is_refused_and_nothing_enqueued(
    connection: Connection, database: str, settings: Settings, client: SyncQueueClient
) -> None:
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'noop')"
    )
    ask(connection, "pause_job", "noop")
    with pytest.raises(JobPaused, match="paused by ada: because") as refusal:
        asyncio.run(run_inline(without_ticker, settings, jobs.noop, None))
    assert refusal.value.exit_code == 75
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (1,)


@pytest.mark.parametrize("job", ["nap", "plain", "locked", "restartable"])
def test_a_running_job_that_is_cancelled_ends_for_good_and_says_who_asked(
    worker: WorkerProcess, connection: Connection, client: SyncQueueClient, notes: Path, job: str
) -> None:
    answer = client.enqueue(job, {"seconds": 9, "name": job})
    eventually(lambda: started(notes, job) or f"plain {job}" in notes.read_text())
    assert ask(connection, "cancel_job", answer.queue_job_id) == "asked to end"
    eventually(lambda: runs(connection), within=3)
    assert runs(connection) == [
        (job, "cancelled", "CancelledByOperator", "cancelled by ada: because")
    ]
    assert connection.execute(
        "SELECT status, abort_requested FROM procrastinate_jobs"
    ).fetchall() == [("aborted", False)]
    assert f"end {job}" not in notes.read_text()
    ended = worker.wait_for("job.cancelled", job=job)
    assert ended["duration_ms"] < 5000
    client.enqueue("noop")
    eventually(lambda: len(runs(connection)) == 2)


def test_a_job_that_is_cancelled_through_procrastinate_ends_too(
    worker: WorkerProcess, connection: Connection, client: SyncQueueClient, notes: Path
) -> None:
    answer = client.enqueue("nap", {"seconds": 9})
    eventually(lambda: started(notes, "nap"))
    connection.execute("SELECT procrastinate_cancel_job_v1(%s, true, false)", [answer.queue_job_id])
    eventually(lambda: runs(connection), within=3)
    assert runs(connection)[0][1:] == (
        "cancelled", "CancelledByOperator", "cancelled through procrastinate",
    )  # fmt: skip


def test_a_cancelled_run_that_fails_first_is_not_tried_again(
    worker: WorkerProcess, connection: Connection, client: SyncQueueClient, notes: Path
) -> None:
    connection.execute(
        """
        CREATE FUNCTION public.cancel_at_once() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.abort_requested := true; RETURN NEW; END $$;
        CREATE TRIGGER cancel_at_once BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW
            WHEN (NEW.status = 'doing') EXECUTE FUNCTION public.cancel_at_once();
        """
    )
    client.enqueue("boom_again")
    eventually(lambda: runs(connection))
    assert [outcome for _, outcome, *_ in runs(connection)] == ["failed"]
    assert connection.execute("SELECT status FROM procrastinate_jobs").fetchall() == [("failed",)]


def test_a_claim_that_is_cancelled_while_its_lock_is_held_does_not_wait_again(
    worker: WorkerProcess, connection: Connection, client: SyncQueueClient
) -> None:
    connection.execute("SELECT pg_advisory_lock(hashtextextended('queue_worker.lock.the-lock', 0))")
    connection.execute(
        """
        CREATE FUNCTION public.cancel_at_once() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.abort_requested := true; RETURN NEW; END $$;
        CREATE TRIGGER cancel_at_once BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW
            WHEN (NEW.status = 'doing') EXECUTE FUNCTION public.cancel_at_once();
        """
    )
    client.enqueue("locked")
    eventually(lambda: runs(connection))
    assert [outcome for _, outcome, *_ in runs(connection)] == ["cancelled"]
    assert connection.execute("SELECT status FROM procrastinate_jobs").fetchall() == [
        ("cancelled",)
    ]


def test_a_retried_job_runs_at_once_as_its_next_attempt(
    worker: WorkerProcess, connection: Connection, client: SyncQueueClient
) -> None:
    answer = client.enqueue("boom")
    eventually(lambda: runs(connection))
    worker.wait_for("job.failed", job="boom", attempt=1)
    assert ask(connection, "retry_job", answer.queue_job_id) == f"{answer.queue_job_id}.2"
    worker.wait_for("job.failed", within=5, job="boom", attempt=2)
    assert len(runs(connection)) == 2


@pytest.mark.fault("P5")
def test_the_job_of_a_worker_that_procrastinate_has_pruned_is_lost_and_its_lock_free(
    env: dict[str, str], connection: Connection, client: SyncQueueClient, notes: Path
) -> None:
    with worker_process(env) as pruned:
        client.enqueue("restartable", {"seconds": 2}, lock_key="a key")
        eventually(lambda: started(notes, "restartable"))
        connection.execute("DELETE FROM procrastinate_workers")
        eventually(lambda: pruned.process.poll() is not None)
        assert pruned.stop() == 70
    left = connection.execute("SELECT status, worker_id, lock FROM procrastinate_jobs")
    assert left.fetchall() == [("doing", None, "a key")]
    with worker_process(env) as sibling:
        lost = sibling.wait_for("job.lost", within=20)
        assert lost["then"] == "restarted"
        sibling.wait_for("job.succeeded", job="restartable", attempt=2)
        assert sibling.stop() == 0
    assert [outcome for _, outcome, *_ in runs(connection)] == ["lost", "succeeded"]
