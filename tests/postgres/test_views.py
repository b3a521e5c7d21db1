"""What a DBA sees in psql."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from queue_worker.schemas import renamed
from tests.support.ledger import add_job, add_run, add_worker, enqueue


def put(connection: Any, task: str = "job", **columns: Any) -> int:
    row = {"task_name": task, "queue_name": "default", **columns}
    marks = ", ".join(f"%({name})s" for name in row)
    found = connection.execute(
        f"INSERT INTO procrastinate_jobs ({', '.join(row)}) VALUES ({marks}) RETURNING id", row
    ).fetchone()
    return int(found[0])


@pytest.mark.fault("P12")
def test_blocked_says_what_waits_for_which_lock_and_why(connection: Any) -> None:
    runs = put(connection, "runs", lock="L", status="doing")
    waits = put(connection, "waits", lock="L")
    first = put(connection, "first", lock="M")
    second = put(connection, "second", lock="M")
    put(connection, "later", lock="M", scheduled_at="2999-01-01")
    put(connection, "free")
    rows = connection.execute(
        "SELECT queue_job_id, blocked_by_queue_job_id, because FROM queue_worker.blocked ORDER BY 1"
    ).fetchall()
    assert rows == [
        (waits, runs, "it runs"),
        (second, first, "it waits first, and no worker has declared this job"),
    ]


@pytest.mark.fault("P21")
@pytest.mark.parametrize("abort", [True, False])
def test_a_job_that_is_cancelled_while_it_waits_has_its_outcome(
    connection: Any, abort: bool
) -> None:
    """Cancelled with procrastinate's own function: no worker ever sees it."""
    queue_job_id = put(connection)
    connection.execute("SELECT procrastinate_cancel_job_v1(%s, %s, false)", [queue_job_id, abort])
    assert connection.execute(
        "SELECT run_id, outcome, error_class FROM queue_worker.run"
    ).fetchall() == [(f"{queue_job_id}.1", "cancelled", "CancelledInQueue")]


def test_a_long_line_behind_one_lock_key_is_no_long_look(connection: Any) -> None:
    """Twenty thousand wait for one key: a look at each for each would be 200 million."""
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock) "
        "SELECT 'default', 'waits', 'L' FROM generate_series(1, 20000)"
    )
    connection.execute("ANALYZE procrastinate_jobs")
    connection.execute("SET statement_timeout = '3 s'")
    count = connection.execute("SELECT count(*) FROM queue_worker.blocked").fetchone()
    assert count == (19_999,)


def test_workers_says_who_lives(connection: Any, database: str) -> None:
    add_worker(connection, 1)
    add_worker(connection, 2, last_heartbeat_at="9 s")
    add_worker(connection, 3)
    add_worker(connection, 4, ended_at="1 day", ended_how="stopped")
    enqueue(connection, status="doing")
    connection.execute("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (1)")
    connection.execute("UPDATE procrastinate_jobs SET worker_id = 1")
    with psycopg.connect(database, autocommit=True) as living:
        for number in (1, 2):
            living.execute(
                f"SELECT pg_advisory_lock(hashtextextended('queue_worker.alive.{number}', 0))"
            )
        rows = connection.execute(
            "SELECT worker_id, state, runs, session_pid FROM queue_worker.workers ORDER BY 1"
        ).fetchall()
        pid = living.info.backend_pid
    assert rows == [(1, "alive", 1, pid), (2, "silent", 0, pid), (3, "cut off", 0, None)]


def test_held_locks_says_who_holds_what_and_how_many_wait(connection: Any, database: str) -> None:
    add_job(connection, "goes_on", lock_key="N")
    add_job(connection, "idle", lock_key="O")
    runs = enqueue(connection, "runs", lock="L", status="doing", queue_worker_claimed_at="5 s")
    enqueue(connection, "starts", lock="M", status="doing")
    for _ in range(3):
        enqueue(connection, "waits", lock="L")
    with psycopg.connect(database, autocommit=True) as session:
        for key in ("L", "N"):
            session.execute(
                f"SELECT pg_advisory_lock(hashtextextended('queue_worker.lock.{key}', 0))"
            )
        rows = connection.execute(
            "SELECT lock_key, job, run_id, is_claimed, is_locked, waiting, "
            "held_for >= interval '5 s' FROM queue_worker.held_locks ORDER BY 1"
        ).fetchall()
    assert rows == [
        ("L", "runs", f"{runs}.1", True, True, 3, True),
        ("M", "starts", f"{runs + 1}.1", True, False, 0, None),
        ("N", None, None, False, True, 0, None),
    ]


def test_recent_failures_are_of_the_last_day_and_the_newest_first(connection: Any) -> None:
    add_job(connection, "noop")
    add_worker(connection)
    for number, outcome in enumerate(("failed", "timed_out", "lost", "succeeded"), 1):
        add_run(connection, number, outcome=outcome, started_at="1 h", finished_at=f"{number} s", worker_id=1)  # fmt: skip
    add_run(connection, 5, outcome="failed", started_at="25 h", finished_at="25 h")
    rows = connection.execute(
        "SELECT run_id, outcome::text, host, runbook FROM queue_worker.recent_failures"
    ).fetchall()
    assert rows == [
        (f"{number}.1", outcome, "web-1", "https://runbooks.example/noop")
        for number, outcome in ((1, "failed"), (2, "timed_out"), (3, "lost"))
    ]


def test_incidents_end_with_a_success_and_their_remedy_can_be_run(connection: Any) -> None:
    add_job(connection, "plain")
    add_job(connection, "with args", args_schema="{}")
    add_job(connection, "late", next_due_at="11 s")
    add_job(connection, "well")
    add_job(connection, "tried again")
    add_worker(connection, 9, last_heartbeat_at="16 s")
    enqueue(connection, "with args", args='{"id": 3}', status="failed")
    add_run(connection, 1, job="with args", outcome="failed")
    add_run(connection, 2, job="plain", outcome="lost")
    add_run(connection, 3, job="well", outcome="failed", started_at="9 s", finished_at="9 s")
    add_run(connection, 4, job="well")
    add_run(connection, 5, job="tried again", outcome="failed", retry_at="-1 hour")
    rows = connection.execute(
        "SELECT kind, subject, command, remedy FROM queue_worker.incidents ORDER BY kind, subject"
    ).fetchall()
    assert [row[:3] for row in rows] == [
        ("failing", "plain", "queue-worker show 2.1"),
        ("failing", "with args", "queue-worker show 1.1"),
        ("overdue", "late", "queue-worker worker"),
        ("silent", "worker 9", "queue-worker status"),
    ]
    assert [remedy.split("(")[0] for *_, remedy in rows[:2]] == [
        renamed("SELECT queue_worker.enqueue"),  # its row is gone
        renamed("SELECT queue_worker.retry_job"),
    ]
    for *_, remedy in rows:
        assert "\n" not in remedy
        connection.execute(remedy)
    waiting = connection.execute(
        "SELECT task_name, args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY task_name"
    ).fetchall()
    assert waiting == [("late", {}), ("plain", {}), ("with args", {"id": 3})]


def test_queued_says_all_but_the_arguments(connection: Any) -> None:
    enqueue(connection, "waits", attempts=1)
    enqueue(connection, "done", attempts=1, status="succeeded")
    rows = connection.execute(
        "SELECT job, status::text, attempt FROM queue_worker.queued ORDER BY queue_job_id"
    ).fetchall()
    assert rows == [("waits", "todo", 2), ("done", "succeeded", 1)]
