"""What procrastinate's two foreign keys kept is kept without them: rows point at what is there."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors as postgres

CLAIM = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s"
READ_ROWS = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'procrastinate_jobs'"


@pytest.fixture
def registered(connection: psycopg.Connection[Any]) -> int:
    return _one(connection, "SELECT * FROM procrastinate_register_worker_v1()")


@pytest.fixture
def job_id(connection: psycopg.Connection[Any]) -> int:
    return _one(
        connection,
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'a') RETURNING id",
    )


def _one(connection: psycopg.Connection[Any], statement: str, *values: object) -> Any:
    row = connection.execute(statement, values or None).fetchone()
    assert row is not None
    return row[0]


def _events(connection: psycopg.Connection[Any]) -> int:
    return int(_one(connection, "SELECT count(*) FROM procrastinate_events"))


def test_a_worker_that_is_not_registered_can_claim_nothing(
    connection: psycopg.Connection[Any], job_id: int
) -> None:
    with pytest.raises(postgres.ForeignKeyViolation, match="Worker 987 is not registered"):
        connection.execute(CLAIM, [987, job_id])
    with pytest.raises(postgres.ForeignKeyViolation):
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id)"
            " VALUES ('q', 'a', 'doing', 987)"
        )
    with pytest.raises(postgres.ForeignKeyViolation):
        connection.execute("SELECT * FROM procrastinate_fetch_job_v2('{q}', 987)")


def test_what_a_deleted_worker_has_claimed_belongs_to_nobody(
    connection: psycopg.Connection[Any], job_id: int, registered: int
) -> None:
    connection.execute(CLAIM, [registered, job_id])
    connection.execute("SELECT procrastinate_unregister_worker_v1(%s)", [registered])
    row = connection.execute("SELECT status, worker_id FROM procrastinate_jobs").fetchone()
    assert row == ("doing", None)


def test_a_worker_is_not_deleted_while_its_claim_is_under_way(
    connection: psycopg.Connection[Any], database: str, job_id: int, registered: int
) -> None:
    with (
        psycopg.connect(database, autocommit=True) as claiming,
        psycopg.connect(database, autocommit=True) as pruning,
    ):
        claiming.execute("BEGIN")
        claiming.execute(CLAIM, [registered, job_id])
        pruning.execute("SET lock_timeout = '50ms'")
        with pytest.raises(postgres.LockNotAvailable):
            pruning.execute("DELETE FROM procrastinate_workers WHERE id = %s", [registered])
        claiming.execute("COMMIT")
        pruning.execute("DELETE FROM procrastinate_workers WHERE id = %s", [registered])
    assert _one(connection, "SELECT count(*) FROM procrastinate_jobs WHERE worker_id IS NULL") == 1


def test_a_worker_is_deleted_without_a_look_at_every_job_that_ever_ran(
    connection: psycopg.Connection[Any], registered: int
) -> None:
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'q', 'a', 'succeeded' FROM generate_series(1, 20000)"
    )
    connection.execute("ANALYZE procrastinate_jobs")
    connection.execute("SELECT pg_stat_force_next_flush()")
    before = _one(connection, READ_ROWS)
    connection.execute("DELETE FROM procrastinate_workers WHERE id = %s", [registered])
    connection.execute("SELECT pg_stat_force_next_flush()")
    assert _one(connection, READ_ROWS) - before < 100


def test_events_go_with_their_jobs(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name)"
        " SELECT 'q', 'a' FROM generate_series(1, 3)"
    )
    connection.execute(
        "DELETE FROM procrastinate_jobs WHERE id IN (SELECT min(id) FROM procrastinate_jobs)"
    )
    assert _events(connection) == 2
    connection.execute("TRUNCATE procrastinate_jobs CASCADE")
    assert _events(connection) == 0
