"""docs/PSQL.md: every statement runs, finds something, and every table and view is in the list."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from queue_worker.jobs import first_party
from queue_worker.queue.fleet import publish_jobs
from queue_worker.session import Session
from tests.support.content import add_request, add_suggestion
from tests.support.processes import REPOSITORY

PAGE = (REPOSITORY / "docs" / "PSQL.md").read_text()
BLOCKS = re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)
STATEMENTS = [part.strip() for block in BLOCKS for part in block.split(";") if part.strip()]

RUNS = """
    INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, due_at, enqueued_at,
        enqueued_by, started_at, finished_at, error_class, error_message)
    VALUES (1, 1, 'insight_engine', 'failed', 'default', now(), now(), 'ada', now(), now(), 'KeyError', 'x'),
           (1, 2, 'insight_engine', 'timed_out', 'default', now(), now(), 'ada', now(), now(), 'Late', 'x')
"""
CLAIMED = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, lock, status, worker_id, queue_worker_claimed_at)
    SELECT 'default', 'analytics_aggregator', 'analytics_aggregator', 'doing', worker_id, now()
      FROM queue_worker.worker
"""
WORKER = """
    INSERT INTO queue_worker.worker (worker_id, kind, host, pid, version, registry_digest, queues, concurrency)
    SELECT worker_id, 'worker', 'here', 1, '0', 'd', '{}', 1 FROM procrastinate_register_worker_v1()
"""
TICK = """
    INSERT INTO queue_worker.tick (job, due_at, state, reason)
    VALUES ('insight_engine', now(), 'missed', 'no worker was there')
"""
FAIL_REQUEST = """
    UPDATE content_pipeline.regeneration_request
       SET state = 'failed', finished_at = now(), error_class = 'E', error_message = 'm'
     WHERE request_id = %s
"""
OUTPUT = """
    INSERT INTO content_pipeline.regeneration_output (request_id, content_id, body, generator)
    VALUES (%s, 'c3', 'text', 'm:g')
"""


@pytest.fixture
async def life(connection: psycopg.Connection[Any], database: str) -> None:
    """Something for every statement to find."""
    session = Session(database, name="test", connect_timeout=5)
    await publish_jobs(session, first_party)
    await session.aclose()
    for statement in (WORKER, RUNS, CLAIMED, TICK):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'unheard_of')"
    )
    add_suggestion(connection, "c1")
    add_suggestion(connection, "c2")
    connection.execute(FAIL_REQUEST, [add_request(connection, "c4")])
    connection.execute(OUTPUT, [add_request(connection, "c3")])


def test_every_statement_runs_and_finds_something(
    life: None, connection: psycopg.Connection[Any], database: str
) -> None:
    """In the order of the page, in one session, as somebody who tries them would."""
    assert len(STATEMENTS) > 15
    with psycopg.connect(
        database, application_name="run 1.1 analytics_aggregator", autocommit=True
    ) as run:
        run.execute("SELECT 1")
        for statement in STATEMENTS:
            rows = connection.execute(statement).fetchall()
            assert rows, statement
    actions = connection.execute("SELECT DISTINCT action FROM queue_worker.audit_log").fetchall()
    assert {action for (action,) in actions} == {
        "job.enqueued", "job.cancelled", "suggestion.approved", "suggestion.rejected", "retry.approved", "output.promoted",
    }  # fmt: skip


def test_the_list_is_complete(connection: psycopg.Connection[Any]) -> None:
    """Partitions are left out: their number grows with time."""
    listed = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", PAGE, flags=re.MULTILINE)
    rows = connection.execute(
        """
        SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('queue_worker', 'content_pipeline') AND c.relkind IN ('r', 'p', 'v')
           AND NOT c.relispartition
        """
    ).fetchall()
    assert sorted(listed) == sorted(name for (name,) in rows)
