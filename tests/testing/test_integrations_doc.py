"""docs/INTEGRATIONS.md as it stands: every block is run, against a real Postgres."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.blocks import read_blocks, write_files
from tests.support.processes import REPOSITORY, environment

BLOCKS = read_blocks(REPOSITORY / "docs" / "INTEGRATIONS.md")
Python = Callable[..., str]


@pytest.fixture
def run(database: str, connection: psycopg.Connection[Any], tmp_path: Path) -> Python:
    """Runs Python where the blocks are written as files; it must end well."""
    connection.execute("CREATE TABLE account (email text PRIMARY KEY)")
    write_files(BLOCKS, tmp_path)
    (tmp_path / "shop" / "__init__.py").touch()

    def run(*arguments: str, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment(database, PYTHONPATH=str(tmp_path), **more),
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def signed_up(connection: psycopg.Connection[Any]) -> set[str]:
    """Who has an account; each has a job, and nobody else has."""
    accounts = {email for (email,) in connection.execute("SELECT email FROM account")}
    jobs = [
        email
        for (email,) in connection.execute(
            "SELECT args ->> 'email' FROM procrastinate_jobs WHERE task_name = 'welcome'"
        )
    ]
    assert sorted(jobs) == sorted(accounts)
    return accounts


@pytest.mark.parametrize("library", ["psycopg", "sqlalchemy"])
def test_a_job_is_enqueued_in_the_transaction(
    run: Python, connection: psycopg.Connection[Any], library: str
) -> None:
    run(f"with_{library}.py")
    assert signed_up(connection) == {f"{library}@example.com"}


def test_django_enqueues_in_its_own_transaction(
    run: Python, connection: psycopg.Connection[Any]
) -> None:
    assert run("with_django.py") == "refused: No accounts for example.org.\n"
    assert signed_up(connection) == {"django@example.com"}


DJANGO = """
from with_django import *
from django.db import connection as own

def outer():
    try:
        with transaction.atomic():  # a savepoint
            queue.enqueue(welcome, Welcome(email="savepoint@example.com"), connection=own)
            raise KeyError
    except KeyError:
        pass

with transaction.atomic():
    outer()
    Account.objects.create(email="outer@example.com")
    queue.enqueue(welcome, Welcome(email="outer@example.com"), connection=own)
own.close()
Account.objects.create(email="autocommit@example.com")
queue.enqueue(welcome, Welcome(email="autocommit@example.com"), connection=django.db.connections["default"])
"""


def test_django_savepoints_and_autocommit_hold_for_jobs_too(
    run: Python, connection: psycopg.Connection[Any]
) -> None:
    run("-c", DJANGO)
    assert signed_up(connection) == {
        f"{name}@example.com" for name in ("django", "outer", "autocommit")
    }


FASTAPI = """
from fastapi.testclient import TestClient
from with_fastapi import app

with TestClient(app) as client:
    for email, code in [("ada@example.com", 201), ("bob@example.org", 422)]:
        answer = client.post(f"/accounts/{email}")
        assert answer.status_code == code, answer.text
    print(answer.json()["detail"])
"""


def test_fastapi_enqueues_in_the_transaction_of_the_request(
    run: Python, connection: psycopg.Connection[Any]
) -> None:
    assert run("-W", "ignore", "-c", FASTAPI) == "No accounts for example.org.\n"
    assert signed_up(connection) == {"ada@example.com"}


def test_the_job_of_the_page_runs(run: Python) -> None:
    run("with_psycopg.py")
    script = (
        "from queue_worker.testing import QueueHarness; from queue_worker import load_settings;"
        "from myapp.jobs import registry;"
        "print([run.outcome.value for run in QueueHarness(registry, load_settings()).run_enqueued()])"
    )
    assert run("-c", script).endswith("\n['succeeded']\n")


def test_the_traced_jobs_print_their_spans(run: Python) -> None:
    printed = run(
        "-m", "queue_worker", "--app", "myapp.traced_jobs:registry", "run", "reindex", "--inline",
        QUEUE_WORKER_TRACING="1",
    )  # fmt: skip
    assert '"name": "run reindex"' in printed
    assert '"name": "read documents"' in printed
    assert '"queue_worker.outcome": "succeeded"' in printed


def test_the_entry_point_is_that_of_the_example() -> None:
    (block,) = [block for block in BLOCKS if block.language == "toml"]
    example = (REPOSITORY / "docs" / "examples" / "shop" / "pyproject.toml").read_text()
    assert "\n".join(block.lines[1:]) in example


def test_every_block_names_its_file() -> None:
    assert [block.text for block in BLOCKS if block.file is None] == []
