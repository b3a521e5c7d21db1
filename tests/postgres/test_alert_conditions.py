"""What is wrong without a run that failed: found by looking, told once, resolved when it is gone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from queue_worker.database import connect
from tests.support.alerts import look, messages, record, register, tend


def put(connection: Any, job: str, **columns: Any) -> int:
    row = {"task_name": job, "queue_name": "default", **columns}
    marks = ", ".join(f"%({name})s" for name in row)
    found = connection.execute(
        f"INSERT INTO procrastinate_jobs ({', '.join(row)}) VALUES ({marks}) RETURNING id", row
    ).fetchone()
    return int(found[0])


def told(connection: Any) -> list[tuple[str, str]]:
    tend(connection, delivery=None)
    return [(kind, fingerprint) for kind, fingerprint, *_ in messages(connection)]


@pytest.mark.fault("F26")
@pytest.mark.parametrize("lock", [None, "a-lock"])
@pytest.mark.parametrize("scheduled_at", [None, "2026-01-01"])
def test_a_waiting_job_that_no_living_worker_knows_is_told_until_one_does(
    connection: Any, lock: str | None, scheduled_at: str | None
) -> None:
    register(connection, "known")
    queue_job_id = put(connection, "unknown", lock=lock, scheduled_at=scheduled_at)
    put(connection, "unknown", scheduled_at="2999-01-01")
    assert look(connection, lagging=3600) >= 1
    assert look(connection, lagging=3600) >= 1
    assert ("raised", "JOB_UNKNOWN:unknown") in told(connection)
    assert len(messages(connection)) == 1
    connection.execute("UPDATE queue_worker.worker SET jobs = array_append(jobs, 'unknown')")
    look(connection, lagging=1e9)
    assert told(connection)[-1] == ("resolved", "JOB_UNKNOWN:unknown")
    assert queue_job_id


def test_a_worker_that_does_not_say_what_it_knows_may_know_it(connection: Any) -> None:
    register(connection)
    connection.execute("UPDATE queue_worker.worker SET jobs = NULL")
    put(connection, "unknown")
    look(connection, lagging=3600)
    assert told(connection) == []


@pytest.mark.parametrize("lock", [None, "a-lock"])
@pytest.mark.parametrize("scheduled_at", [None, "2026-01-01"])
def test_a_queue_that_lags_is_told_whatever_its_priority(
    connection: Any, lock: str | None, scheduled_at: str | None
) -> None:
    register(connection, "known")
    for priority in (5, 0, -5):
        put(connection, "known", priority=priority, queueing_lock=None, queue_name="quick",
            scheduled_at="2999-01-01")  # fmt: skip
    late = put(
        connection, "known", lock=lock, scheduled_at=scheduled_at, priority=-3, queue_name="slow"
    )
    assert look(connection) == 1
    assert told(connection) == [("raised", "QUEUE_LAGGING:slow")]
    connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [late])
    assert look(connection) == 0
    assert told(connection)[-1] == ("resolved", "QUEUE_LAGGING:slow")


def test_a_run_that_takes_longer_than_its_like_is_told(connection: Any) -> None:
    register(connection, "a", "new")
    for job, runs in (("a", 25), ("new", 5)):
        for _ in range(runs):
            record(connection, job, "succeeded")
        put(connection, job, status="doing", worker_id=1, queue_worker_claimed_at="2026-01-01")
    put(connection, "a", status="doing", worker_id=1, queue_worker_claimed_at="2999-01-01")
    assert look(connection, lagging=3600) == 1
    assert told(connection) == [("raised", "JOB_RUNNING_LONG:a")]
    connection.execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
    look(connection, lagging=3600)
    assert told(connection)[-1] == ("resolved", "JOB_RUNNING_LONG:a")


def test_a_due_tick_that_nobody_decides_is_told(connection: Any) -> None:
    connection.execute(
        "INSERT INTO queue_worker.job (name, description, schedule, queue, priority, timeout, max_attempts,"
        " restartable, owner, runbook, registry_digest, next_due_at) VALUES ('a', '', 'every 0:01:00',"
        " 'default', 0, '1 s', 1, false, '', '', 'x', now() - interval '1 min')"
    )
    look(connection)
    look(connection)
    assert told(connection) == [("raised", "JOB_MISSED:a")]
    record(connection, "a", "succeeded")
    assert told(connection)[-1] == ("resolved", "JOB_MISSED:a")


@pytest.mark.fault("F38")
def test_a_snapshot_that_is_held_open_is_told(database: str, connection: Any) -> None:
    with connect(database, name="a report") as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        assert look(connection, lagging=3600, snapshot=3600) == 0
        time.sleep(0.01)
        assert look(connection, lagging=3600, snapshot=0.005) == 1
        assert told(connection) == [("raised", "ENVIRONMENT_INVALID:snapshot")]
        (summary,) = connection.execute("SELECT summary FROM queue_worker.alert").fetchone()
        assert "(a report)" in summary
        other.execute("COMMIT")
    look(connection, lagging=3600, snapshot=0.005)
    assert told(connection)[-1] == ("resolved", "ENVIRONMENT_INVALID:snapshot")


def test_a_look_is_quick_whatever_waits_and_whatever_has_finished(connection: Any) -> None:
    """Hundreds of thousands of rows, a few of which matter; no plan may walk over the others."""
    connection.execute(
        "ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER;"
        "INSERT INTO procrastinate_jobs (task_name, queue_name, status, priority)"
        " SELECT 'a', 'q' || i % 5, CASE WHEN i % 10 = 0 THEN 'todo' ELSE 'succeeded' END::procrastinate_job_status, i % 3"
        " FROM generate_series(1, 200000) AS i;"
        "INSERT INTO procrastinate_jobs (task_name, queue_name, status, lock, scheduled_at)"
        " SELECT 'a', 'q' || i % 5, 'todo', i, now() + interval '1 day' FROM generate_series(1, 20000) AS i"
    )
    register(connection, "a")
    connection.execute("ANALYZE procrastinate_jobs")
    look(connection)
    buffers = "SELECT sum(heap_blks_hit + idx_blks_hit + heap_blks_read + idx_blks_read) FROM pg_statio_user_tables WHERE relname = 'procrastinate_jobs'"
    connection.execute("SELECT pg_stat_force_next_flush()")
    before = connection.execute(buffers).fetchone()[0]
    look(connection)
    connection.execute("SELECT pg_stat_force_next_flush()")
    after = connection.execute(buffers).fetchone()[0]
    assert after - before < 2_000, "it has read far more than the heads of the queues"


def test_a_look_is_quick_however_many_run_and_whatever_has_failed(connection: Any) -> None:
    """What a job usually takes is found once, and in the newest runs alone."""
    connection.execute(
        "ALTER TABLE queue_worker.run DISABLE TRIGGER USER;"
        "INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at, enqueued_by,"
        " started_at, finished_at, error_class) SELECT i, 1, 'a', 'failed', 'q', now(), 'me', now(), now(), 'E'"
        " FROM generate_series(1, 20000) AS i;"
        "ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER;"
        "INSERT INTO procrastinate_jobs (task_name, queue_name, status, worker_id, queue_worker_claimed_at)"
        " SELECT 'a', 'q', 'doing', 1, now() - interval '1 hour' FROM generate_series(1, 300) AS i"
    )
    connection.execute("ANALYZE queue_worker.run")
    look(connection)
    buffers = "SELECT sum(heap_blks_hit + idx_blks_hit + heap_blks_read + idx_blks_read) FROM pg_statio_user_tables WHERE relname = 'run'"
    connection.execute("SELECT pg_stat_force_next_flush()")
    before = connection.execute(buffers).fetchone()[0]
    look(connection)
    connection.execute("SELECT pg_stat_force_next_flush()")
    assert connection.execute(buffers).fetchone()[0] - before < 500
