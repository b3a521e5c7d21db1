"""Whatever the statistics say, a statement of the queue looks at little of what waits or has ended.

A queue is empty, full and done within a minute, and an ANALYZE may come at any moment of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.plans import explained, pages_of, pin

CROWD = 5_000
ROWS = f"""
    INSERT INTO procrastinate_jobs (
        queue_name, task_name, lock, queueing_lock, scheduled_at)
    SELECT 'default', 'known', 'key ' || g, 'once ' || g,
           CASE WHEN g % 2 = 0 THEN now() - interval '1 minute' END
    FROM generate_series(1, {CROWD}) AS g
    RETURNING id
"""
WORKER, GONE = 1, 2
EVENTS = {
    "waiting": "UPDATE procrastinate_jobs SET status = 'todo'",
    "claimed": "UPDATE procrastinate_jobs SET status = 'doing', worker_id = 1,"
    " queue_worker_claimed_at = now()",
    "succeeded": "UPDATE procrastinate_jobs SET status = 'succeeded', worker_id = NULL",
}


@pytest.fixture(params=["empty", *EVENTS])
def crowd(connection: psycopg.Connection[Any], request: pytest.FixtureRequest) -> list[int]:
    """Many jobs that wait, and many that have ended, analyzed when all of them were in one state."""
    for _ in (WORKER, GONE):
        connection.execute("SELECT procrastinate_register_worker_v1()")
    connection.execute("ANALYZE procrastinate_jobs")
    if request.param != "empty":
        connection.execute(ROWS)
        for status, change in EVENTS.items():
            connection.execute(change)
            if status == request.param:
                connection.execute("ANALYZE procrastinate_jobs")
        connection.execute(EVENTS["succeeded"])
    rows = connection.execute(ROWS)
    return [row[0] for row in rows.fetchall()]


@pytest.fixture
def pinned(database: str) -> Iterator[psycopg.Connection[Any]]:
    """As the sessions are that claim and close."""
    with psycopg.connect(database, autocommit=True) as connection:
        pin(connection)
        yield connection


def pages(connection: psycopg.Connection[Any], name: str, **given: Any) -> int:
    """The pages that the statement looks at, once its plan is as it stays; then it is undone."""
    for _ in range(7):  # after five of them a plan for all parameters may be kept
        with connection.transaction(force_rollback=True):
            plan = explained(connection, name, given)
    return pages_of(plan)


def test_a_claim_and_its_floor_look_at_little(
    pinned: psycopg.Connection[Any], crowd: list[int]
) -> None:
    given = {"queues": None, "ready": 0, "later": 0, "locked": 0, "locked_later": 0}
    assert pages(pinned, "find_floors", highest_claimed=0, **given) < 150
    seen = pages(
        pinned, "claim_runs", worker_id=WORKER, jobs=["known"], free=10, window=26, after_lock=None, **given
    )  # fmt: skip
    assert seen < 1000


def test_a_close_and_a_return_look_at_little(
    pinned: psycopg.Connection[Any], crowd: list[int]
) -> None:
    """Of runs whose queueing lock another job has taken meanwhile."""
    pinned.execute(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s,"
        " queue_worker_claimed_at = now() WHERE id = %s",
        [WORKER, crowd[-1]],
    )
    pinned.execute(
        "UPDATE procrastinate_jobs SET queueing_lock = 'once 7' WHERE id = %s", [crowd[-1]]
    )
    seen = {
        "close_runs": pages(
            pinned, "close_runs", worker_id=WORKER, queue_job_id=[crowd[-1]], attempt=[1],
            outcome=["failed"], status=["todo"], started_after=[1], finished_after=[2],
            error_class=["E"], error_message=["no"], traceback=None, retry_wait=[3.0],
        ),
        "return_runs": pages(
            pinned, "return_runs", worker_id=WORKER, queue_job_ids=[crowd[-1]], wait=0,
            claimed_at=pinned.execute(
                "SELECT array_agg(queue_worker_claimed_at) FROM procrastinate_jobs WHERE id = %s",
                [crowd[-1]],
            ).fetchall()[0][0],
        ),
        "return_orphans": pages(pinned, "return_orphans", worker_id=WORKER, known=[]),
    }  # fmt: skip
    assert {name: count for name, count in seen.items() if count > 60} == {}


def test_what_is_asked_about_one_job_looks_at_little(
    connection: psycopg.Connection[Any], crowd: list[int]
) -> None:
    item = {
        "job": "known", "queue": "default", "priority": 0, "lock_key": None, "args": "{}",
        "queueing_lock": "once 7", "delay": None, "run_at": None, "trace": None,
    }  # fmt: skip
    seen = {
        "enqueue_job": pages(connection, "enqueue_job", **item),
        "enqueue_jobs": pages(connection, "enqueue_jobs", batch=json.dumps([item])),
        "claim_run": pages(connection, "claim_run", worker_id=WORKER, queue_job_id=crowd[-1]),
        "read_lock_holder": pages(connection, "read_lock_holder", lock_key="key 7"),
        "read_queued_job": pages(connection, "read_queued_job", queue_job_id=crowd[-1]),
    }
    assert {name: count for name, count in seen.items() if count > 60} == {}


def test_what_is_asked_about_one_worker_looks_at_little(
    connection: psycopg.Connection[Any], crowd: list[int]
) -> None:
    connection.execute(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s,"
        " queue_worker_claimed_at = now() WHERE id = %s",
        [GONE, crowd[-1]],
    )
    for worker_id in (WORKER, GONE):
        connection.execute(
            "INSERT INTO queue_worker.worker (worker_id, kind, host, pid, queues, version, registry_digest,"
            " concurrency)"
            " VALUES (%s, 'worker', 'here', 1, '{}', '1', '', 1)",
            [worker_id],
        )
    connection.execute(
        "UPDATE queue_worker.worker SET last_heartbeat_at = now() - interval '1 hour'"
        " WHERE worker_id = %s",
        [GONE],
    )
    seen = {
        "renew_heartbeat": pages(connection, "renew_heartbeat", worker_id=WORKER),
        "rescue_worker": pages(connection, "rescue_worker", dead_id=GONE, rescuer_id=WORKER),
        "rescue_ownerless": pages(connection, "rescue_ownerless", rescuer_id=WORKER),
    }
    assert {name: count for name, count in seen.items() if count > 300} == {}
