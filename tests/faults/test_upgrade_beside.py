"""An upgrade while an older version works: its worker goes on beside the new one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, LiteralString

import pytest
from psycopg.conninfo import make_conninfo

from queue_worker.database import connect
from tests.support.eventually import eventually
from tests.support.faults import JOBS, Notes, now, overlaps
from tests.support.older_version import check_out
from tests.support.postgres import execute
from tests.support.processes import REPOSITORY, WorkerProcess, call, environment

# Commits of main, each the last one at its level: 0004 and 0012 are their newest migrations.
OLDER = ("ef535fd", "02f182a")
ENQUEUE: LiteralString = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, lock)
    SELECT
        'default',
        CASE n %% 2 WHEN 0 THEN 'locked_again' ELSE 'work_again' END,
        '{"seconds": 0.02}',
        CASE n %% 2 WHEN 0 THEN 'shared' END
    FROM generate_series(1, %s) AS n
"""
OUTCOMES: LiteralString = (
    "SELECT outcome::text, count(DISTINCT queue_job_id) FROM queue_worker.run GROUP BY 1"
)


@pytest.fixture
def login(server_dsn: str) -> Iterator[str]:
    """Who the workers are: the oldest version knows no roles of least privilege."""
    name = f"upgrade_{os.getpid()}"
    execute(server_dsn, f"CREATE ROLE {name} SUPERUSER LOGIN")
    yield name
    execute(server_dsn, f"DROP ROLE {name}")


@pytest.mark.slow
@pytest.mark.fault("F54")
@pytest.mark.parametrize("commit", OLDER)
def test_workers_of_both_versions_work_while_the_database_is_migrated(
    empty_database: str, login: str, tmp_path: Path, commit: str
) -> None:
    """The database is migrated while a worker of the older version drains it."""
    older = check_out(commit, tmp_path / "older")
    notes = Notes(tmp_path / "notes")
    env = environment(
        empty_database, TEST_NOTES=str(notes.path), QUEUE_WORKER_APP=f"{JOBS}:registry"
    )
    worker_env = env | {"DATABASE_URL": make_conninfo(empty_database, user=login)}
    assert call(env, "migrate", checkout=older).returncode == 0

    def rows(query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        with connect(empty_database, name="test") as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def enqueue(count: int) -> None:
        rows(ENQUEUE, count)

    def wait_until_drained() -> None:
        waiting: LiteralString = (
            "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        )
        eventually(lambda: not rows(waiting), within=60)

    with ExitStack() as stack:

        def start(checkout: Path) -> WorkerProcess:
            found = WorkerProcess(worker_env, checkout=checkout)
            stack.callback(found.stop, signal.SIGKILL)
            found.wait_for("worker.started")
            return found

        before = start(older)
        enqueue(100)
        eventually(lambda: len(notes.lines("end")) > 10)
        done = call(env, "migrate")
        assert done.returncode == 0, done.stderr
        migrated = now()
        after = start(REPOSITORY)
        enqueue(200)
        wait_until_drained()
        pids = {int(pid) for _, _, pid, at in notes.lines("start") if float(at) > migrated}
        assert pids == {before.process.pid, after.process.pid}  # both have worked since
        assert before.stop() == 0
        enqueue(10)
        wait_until_drained()
        assert after.stop() == 0
    assert overlaps(notes.spans()) == []
    assert dict(rows(OUTCOMES)) == {"succeeded": 310}
