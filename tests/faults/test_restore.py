"""A backup that was taken while a worker worked, restored into another database."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from queue_worker import Settings, SyncQueueClient
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.postgres import execute, find_binaries
from tests.support.processes import as_worker, call, environment, worker_process

RUNS = (
    "SELECT j.task_name, j.status::text, array_agg(r.outcome::text ORDER BY r.attempt)"
    " FROM procrastinate_jobs AS j LEFT JOIN queue_worker.run AS r ON r.queue_job_id = j.id"
    " WHERE j.task_name IN ('noop', 'blocks') GROUP BY j.id ORDER BY j.id"
)


@pytest.fixture
def restored(database: str, connection: psycopg.Connection[Any], server_dsn: str) -> Iterator[str]:
    """An empty database beside the one of the test."""
    name = f"{conninfo_to_dict(database)['dbname']}_restored"
    execute(server_dsn, f'CREATE DATABASE "{name}"')
    ((path,),) = connection.execute("SHOW search_path").fetchall()  # no part of a dump
    execute(server_dsn, f'ALTER DATABASE "{name}" SET search_path = {path}')
    yield make_conninfo(server_dsn, dbname=name)
    execute(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


def program(connection: psycopg.Connection[Any], name: str) -> str:
    binaries = find_binaries(str(connection.info.server_version // 10_000))
    found = shutil.which(name, path=str(binaries))
    if found is None:
        pytest.skip(f"this server brings no {name}")
    return found


def test_a_restored_backup_is_as_the_migrations_made_it_and_goes_on_where_it_was(
    database: str,
    restored: str,
    connection: psycopg.Connection[Any],
    settings: Settings,
    tmp_path: Path,
) -> None:
    dump, restore = program(connection, "pg_dump"), program(connection, "pg_restore")
    backup = str(tmp_path / "backup")
    with (
        SyncQueueClient(without_ticker, settings) as client,
        worker_process(
            environment(database, TEST_NOTES=os.devnull, QUEUE_WORKER_CONCURRENCY="1")
        ) as worker,
    ):
        client.enqueue("noop")
        client.enqueue("blocks")
        client.enqueue("noop")
        before = [
            ("noop", "succeeded", ["succeeded"]),
            ("blocks", "doing", [None]),
            ("noop", "todo", [None]),
        ]
        eventually(lambda: connection.execute(RUNS).fetchall() == before)
        subprocess.run([dump, "--format", "custom", "--file", backup, database], check=True)
        worker.stop(signal.SIGKILL)
    subprocess.run([restore, "--exit-on-error", "--dbname", restored, backup], check=True)

    env = environment(restored, TEST_NOTES=os.devnull)
    checked = call(as_worker(env), "check")
    assert checked.returncode == 0, checked.stdout
    after = [
        ("noop", "succeeded", ["succeeded"]),
        ("blocks", "failed", ["lost"]),
        ("noop", "succeeded", ["succeeded"]),
    ]
    with psycopg.connect(restored, autocommit=True) as there, worker_process(env) as worker:
        eventually(lambda: there.execute(RUNS).fetchall() == after)
        assert worker.stop() == 0
