"""A worker and the schema of its database, while another version is rolled out or somebody edits it."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.support import processes
from tests.support.endpoints import get
from tests.support.eventually import eventually
from tests.support.postgres import free_port
from tests.support.processes import WorkerProcess, environment, worker_process

OFTEN = "from queue_worker.worker import schema_watch; schema_watch.LOOK_INTERVAL = 0.2; "
LATER = "INSERT INTO queue_worker.migration (name, checksum, how, version) VALUES (%s, 'x', 'applied', '99')"
EDITED = """
    CREATE OR REPLACE FUNCTION queue_worker.assert_fence(lock_key text, token text) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$ BEGIN END $$
"""


@pytest.fixture
def env(database: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    command = processes.command

    def looking_often(*arguments: str) -> list[str]:
        python, option, code, *rest = command(*arguments)
        return [python, option, OFTEN + code, *rest]

    monkeypatch.setattr(processes, "command", looking_often)
    return environment(database, QUEUE_WORKER_HTTP_PORT=str(free_port()))


def problem(worker: WorkerProcess) -> str:
    said: str = json.loads(get(worker, "/ready").body)["checks"].get("migrations", "not started")
    return said


def test_a_worker_starts_and_is_ready_on_a_newer_database_until_that_breaks_it(
    env: dict[str, str], connection: psycopg.Connection[Any]
) -> None:
    connection.execute(LATER, ["migrations/9998_later.sql"])
    with worker_process(env) as worker:
        eventually(lambda: get(worker, "/ready").status == 200)
        connection.execute(LATER, ["migrations/9999_breaking_later.sql"])
        eventually(lambda: "9999_breaking_later" in problem(worker))
        assert get(worker, "/ready").status == 503
        assert get(worker, "/live").status == 200
        connection.execute("DELETE FROM queue_worker.migration WHERE name LIKE '%9999%'")
        eventually(lambda: get(worker, "/ready").status == 200)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (EDITED, "assert_fence(text,text)"),
        ("DELETE FROM queue_worker.migration WHERE name LIKE '%0012%'", "0012_trace"),
        ("ALTER TABLE queue_worker.migration RENAME TO gone", "queue-worker migrate"),
    ],
)
def test_a_worker_whose_schema_is_damaged_is_not_ready(
    env: dict[str, str], connection: psycopg.Connection[Any], damage: str, says: str
) -> None:
    with worker_process(env) as worker:
        eventually(lambda: get(worker, "/ready").status == 200)
        connection.execute(damage)
        eventually(lambda: says in problem(worker))
