"""What one looks at in an outage stays cheap: no view and no command reads a whole large table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from queue_worker.statements import statement
from tests.support.ledger import add_job, add_worker, enqueue
from tests.support.postgres import execute
from tests.support.schemas import close_public

ROWS = 200_000
LARGE = {"run", "procrastinate_jobs", "tick"}
FILL = f"""
    INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts, lock)
    SELECT 'default', 'job_' || n % 20, 'succeeded', 1, 'lock_' || n % 20
    FROM generate_series(1, {ROWS}) AS n;

    INSERT INTO queue_worker.run (
        queue_job_id, attempt, job, outcome, queue, enqueued_at, enqueued_by, started_at,
        finished_at, error_class)
    SELECT
        n, 1, 'job_' || n % 20,
        (CASE WHEN n % 997 = 0 THEN 'failed' ELSE 'succeeded' END)::queue_worker.outcome,
        'default', t, 'ada', t, t, CASE WHEN n % 997 = 0 THEN 'E' END
    FROM generate_series(1, {ROWS}) AS n, LATERAL (SELECT now() - ({ROWS} - n) * interval '30 s' AS t) AS at;

    INSERT INTO queue_worker.tick (job, due_at, state, queue_job_id)
    SELECT 'job_' || n % 20, now() - n * interval '1 minute', 'enqueued', n
    FROM generate_series(1, {ROWS}) AS n
"""
VIEWS = {
    "recent_failures": "SELECT * FROM queue_worker.recent_failures LIMIT 20",
    "recent_failures of a job": "SELECT * FROM queue_worker.recent_failures WHERE job = 'job_3' LIMIT 20",
    "overdue": "SELECT * FROM queue_worker.overdue",
    "queue_depth": "SELECT * FROM queue_worker.queue_depth",
    "blocked": "SELECT * FROM queue_worker.blocked",
    "running": "SELECT * FROM queue_worker.running",
    "held_locks": "SELECT * FROM queue_worker.held_locks",
    "workers": "SELECT * FROM queue_worker.workers",
    "incidents": "SELECT * FROM queue_worker.incidents",
    "job_health": "SELECT * FROM queue_worker.job_health",
    "queued": "SELECT * FROM queue_worker.queued WHERE queue_job_id = 7",
    "runs": "SELECT * FROM queue_worker.runs WHERE queue_job_id = 7",
    "runs of an hour": "SELECT * FROM queue_worker.runs WHERE finished_at > now() - interval '1 hour'",
}
STATEMENTS: dict[str, dict[str, Any]] = {
    "list_runs": {"job": None, "outcome": None, "limit": 20},
    "list_failures": {"job": None, "hours": 24, "limit": 20},
    "list_attempts": {"queue_job_id": 7},
    "read_queued_job": {"queue_job_id": 7},
    "list_next_ticks": {"limit": 20},
    "list_job_health": {},
    "list_recent_failures": {"limit": 20},
    "list_workers": {},
}


@pytest.fixture(scope="module")
def seeded(server_dsn: str, template: str) -> Iterator[psycopg.Connection[Any]]:
    """A database with a long history and a little of everything that goes on."""
    name = f"{template}_seeded"
    execute(server_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    close_public(server_dsn, name)
    with psycopg.connect(make_conninfo(server_dsn, dbname=name), autocommit=True) as connection:
        connection.execute(  # a history, and no events of it
            "ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER"
        )
        connection.execute(FILL)
        for number in range(20):
            add_job(connection, f"job_{number}", lock_key=f"lock_{number}", next_due_at="1 h")
        add_worker(connection)
        for number in range(40):
            enqueue(connection, f"job_{number % 20}", lock=f"lock_{number % 20}")
        enqueue(connection, "job_1", lock="lock_1", status="doing")
        connection.execute("VACUUM (ANALYZE)")  # as autovacuum does
        yield connection
    execute(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


def scanned(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads from one end to the other."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from scanned(part)


def assert_cheap(
    connection: psycopg.Connection[Any], text: Any, given: dict[str, Any], most: int
) -> None:
    row = connection.execute(
        b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text.encode(), given
    ).fetchone()
    assert row is not None
    plan = (json.loads(row[0]) if isinstance(row[0], str) else row[0])[0]["Plan"]
    assert LARGE.isdisjoint(scanned(plan))
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= most


@pytest.mark.parametrize("text", VIEWS.values(), ids=VIEWS)
def test_a_view_reads_no_large_table_whole(seeded: psycopg.Connection[Any], text: str) -> None:
    assert_cheap(seeded, text, {}, most=1500)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_command_reads_no_large_table_whole(seeded: psycopg.Connection[Any], name: str) -> None:
    assert_cheap(seeded, statement(name), STATEMENTS[name], most=2500)
