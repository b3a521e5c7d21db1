"""The command in this process, and what a database holds before and after it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from queue_worker.cli import main
from tests.support.postgres import execute
from tests.support.processes import JOBS
from tests.support.schemas import close_public


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def assert_one_error(self, code: int, *words: str) -> None:
        assert self.code == code, self
        assert self.out == ""
        assert self.err.startswith("Error: ")
        assert self.err.count("\n") == 1
        for word in words:
            assert word in self.err


Command = Callable[..., Answer]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls the command with arguments and environment variables."""

    def call(*arguments: str, **environment: str) -> Answer:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["queue-worker", *arguments])
            with pytest.raises(SystemExit) as end:
                main()
        printed = capsys.readouterr()
        return Answer(int(end.value.code or 0), printed.out, printed.err)

    return call


@pytest.fixture
def ready(command: Command, standing: str) -> Command:
    """The same, with the jobs of the tests and a migrated database."""

    def call(*arguments: str, **environment: str) -> Answer:
        return command(
            *arguments, **{"DATABASE_URL": standing, "QUEUE_WORKER_APP": JOBS, **environment}
        )

    return call


@pytest.fixture(scope="module")
def standing(server_dsn: str, template: str) -> Iterator[str]:
    """The DSN of a migrated database for all tests of a file: what they do must not change it."""
    yield from _clone(server_dsn, template, "standing")


@pytest.fixture(scope="module")
def newer(server_dsn: str, template: str) -> Iterator[str]:
    """The DSN of a database that a later version has migrated, which breaks this one."""
    for dsn in _clone(server_dsn, template, "newer"):
        execute(
            dsn,
            "INSERT INTO queue_worker.migration (name, checksum, how, version) "
            "VALUES ('migrations/9999_breaking_future.sql', 'x', 'applied', '99')",
        )
        yield dsn


def _clone(server_dsn: str, template: str, suffix: str) -> Iterator[str]:
    name = f"{template}_{suffix}"
    execute(server_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    close_public(server_dsn, name)
    yield make_conninfo(server_dsn, dbname=name)
    execute(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


CATALOG = """
    SELECT kind, name FROM (
        SELECT 'relation', oid::regclass::text, relnamespace FROM pg_class
        UNION ALL SELECT 'function', oid::regprocedure::text, pronamespace FROM pg_proc
        UNION ALL SELECT 'schema', nspname, oid FROM pg_namespace
    ) AS found (kind, name, namespace)
    WHERE namespace::regnamespace::text !~ '^pg_|^information_schema$'
    ORDER BY 1, 2
"""
COUNTS = """
    SELECT string_agg(format('SELECT %1$L, count(*) FROM %1$s', oid::regclass), ' UNION ALL ' ORDER BY oid)
    FROM pg_class
    WHERE relkind IN ('r', 'p', 'S') AND relnamespace::regnamespace::text !~ '^pg_|^information_schema$'
"""


def contents(dsn: str) -> list[tuple[Any, ...]]:
    """All that stands in the catalog, and the number of rows of each table."""
    with psycopg.connect(dsn) as connection:
        catalog = connection.execute(CATALOG).fetchall()
        row = connection.execute(COUNTS).fetchone()
        assert row is not None
        return [*catalog, *(connection.execute(row[0]).fetchall() if row[0] else [])]
