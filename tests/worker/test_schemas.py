"""A database in which public is closed, and procrastinate's tables are in a schema of another name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from queue_worker import SyncQueueClient, load_settings
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.postgres import execute
from tests.support.processes import call, environment, worker_process
from tests.support.roles import as_login, make_test_roles, session


@pytest.fixture(params=["public is closed", "public is gone"])
def elsewhere(empty_database: str, template: str, request: pytest.FixtureRequest) -> str:
    """The DSN of an empty database; it says where procrastinate is to be."""
    execute(
        empty_database,
        "REVOKE ALL ON SCHEMA public FROM PUBLIC"
        if request.param == "public is closed"
        else "DROP SCHEMA public",
        'CREATE SCHEMA IF NOT EXISTS "Queue of ours"',
    )
    return make_conninfo(empty_database, options=r'-csearch_path="Queue\ of\ ours"')


@pytest.fixture
def connection(elsewhere: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        yield connection


def test_everything_works_elsewhere_and_with_the_least_rights(
    elsewhere: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    (tmp_path / "notes").touch()
    assert call(environment(elsewhere), "migrate").returncode == 0
    make_test_roles(connection)
    env = environment(elsewhere, TEST_NOTES=str(tmp_path / "notes"))
    settings = load_settings(database_url=as_login(elsewhere, "enqueuer"))
    expected = {
        "noop": "succeeded", "boom": "failed", "locked": "succeeded", "plain_sql": "succeeded",
        "fenced": "succeeded", "queue_worker.validation": "succeeded",
    }  # fmt: skip
    with worker_process(env) as worker, SyncQueueClient(without_ticker, settings) as client:
        for job in expected.keys() - {"queue_worker.validation"}:
            client.enqueue(job)
        with session(elsewhere, "enqueuer") as own:
            own.execute("SELECT queue_worker.enqueue('queue_worker.validation')")
        ledger = "SELECT job, outcome::text FROM queue_worker.run"
        eventually(lambda: len(connection.execute(ledger).fetchall()) == len(expected))
        assert dict(connection.execute(ledger).fetchall()) == expected
        assert worker.stop() == 0
    checked = call(environment(as_login(elsewhere, "worker")), "check", "--json")
    assert [r for r in json.loads(checked.stdout) if not r["ok"]] == []
    assert call(environment(as_login(elsewhere, "reader")), "status").returncode == 0
    where = connection.execute("SELECT 'procrastinate_jobs'::regclass::oid::regclass::text, "
                               "(SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'procrastinate_jobs')")  # fmt: skip
    assert where.fetchone() == ("procrastinate_jobs", '"Queue of ours"')
