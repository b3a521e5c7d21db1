"""docs/OPERATIONS.md: every command and statement runs, and prints what the page says."""

from __future__ import annotations

import re
import shlex
from typing import Any

import psycopg
import pytest

from queue_worker.jobs import first_party
from queue_worker.queue.fleet import publish_jobs
from queue_worker.session import Session
from tests.cli.conftest import Command
from tests.support.blocks import read_blocks
from tests.support.processes import REPOSITORY

PAGE = REPOSITORY / "docs" / "OPERATIONS.md"
STATEMENTS = [text for block in read_blocks(PAGE, "sql") for text in block.statements]
COMMANDS = [
    entry.partition("\n")
    for block in read_blocks(PAGE, "console")
    for entry in block.text.removeprefix("$ ").split("\n$ ")
]
LEVERS = {
    "pause_job", "pause_queue", "resume_job", "resume_queue", "cancel_job", "retry_job",
    "retire_job",
    "requeue_lost", "release_lock", "verify_audit", "audit_anchor",
}  # fmt: skip

STATE = """
    INSERT INTO queue_worker.worker (worker_id, kind, host, pid, version, registry_digest, queues,
        concurrency, last_heartbeat_at, jobs)
    SELECT worker_id, 'worker', 'here', 1, '0', 'd', '{}', 1, now() - interval '1 hour',
           '{insight_engine,signal_generator}'
      FROM procrastinate_register_worker_v1();
    INSERT INTO procrastinate_jobs (id, queue_name, task_name, status, attempts, lock, worker_id)
    SELECT v.*, CASE WHEN v.status = 'doing' THEN w.worker_id END
      FROM queue_worker.worker AS w, (VALUES
        (41, 'default', 'insight_engine', 'todo'::procrastinate_job_status, 0, NULL),
        (42, 'default', 'insight_engine', 'doing', 0, 'insight_engine'),
        (43, 'default', 'insight_engine', 'failed', 1, 'insight_engine'),
        (44, 'default', 'insight_engine', 'succeeded', 1, 'insight_engine'),
        (45, 'default', 'insight_engine', 'failed', 1, 'insight_engine'),
        (46, 'default', 'signal_generator', 'doing', 0, 'signal_generator')) AS v (id, queue, job, status);
    INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at, enqueued_by,
        started_at, finished_at, error_class)
    VALUES (45, 1, 'insight_engine', 'lost', 'default', now(), 'x', now(), now(), 'WorkerLost');
"""


@pytest.fixture(autouse=True)
async def state(connection: psycopg.Connection[Any], database: str) -> None:
    session = Session(database, name="test", connect_timeout=5)
    await publish_jobs(session, first_party)
    await session.aclose()
    connection.execute(STATE)


def plain(text: str) -> list[str]:
    """What is printed, without the space that only makes columns."""
    lines = (" ".join(re.sub("─+", "─", line).split()) for line in text.splitlines())
    return [line for line in lines if line]


def test_every_command_prints_what_the_page_says(ready: Command, database: str) -> None:
    assert len(COMMANDS) > 15
    for line, _, printed in COMMANDS:
        program, *arguments = shlex.split(line)
        assert program == "queue-worker"
        answer = ready(*arguments, DATABASE_URL=database)
        said = re.sub(r"--anchor \d+:[0-9a-f]{64}\n", "--anchor …\n", answer.out + answer.err)
        assert plain(said) == plain(printed), line
        assert (answer.code != 0) == printed.startswith(("Error: ", "The audit log was")), line


def test_every_statement_runs_and_every_lever_is_shown(
    connection: psycopg.Connection[Any],
) -> None:
    for statement in STATEMENTS:
        assert connection.execute(statement).fetchall(), statement
    assert {f for f in LEVERS if any(f"{f}(" in statement for statement in STATEMENTS)} == LEVERS
    row = connection.execute("SELECT count(*) FROM queue_worker.audit_log").fetchone()
    changes = re.compile(r"queue_worker\.(?!verify|audit)\w+\([^)]*'ada'")
    expected = [s for s in STATEMENTS if changes.search(s) and "dry_run" not in s]
    assert row == (len(expected),)
