"""One server for the whole run, one migrated template in it, one clone of it for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from queue_worker.settings import Settings, load_settings
from tests.support.postgres import temporary_server
from tests.support.roles import drop_test_roles, make_test_roles
from tests.support.schemas import close_public, refuse_other_names, schema_variables

_TEMPLATE = "queue_worker_template"
_FOLDER = pytest.StashKey[ExitStack]()
_DSN = pytest.StashKey[str]()
_numbers = itertools.count()

OULAD = Path(__file__).resolve().parents[2] / "shared" / "data" / "oulad"


def pytest_configure(config: pytest.Config) -> None:
    """What the environment of the caller says must not reach the code under test."""
    refuse_other_names()
    config.stash[_FOLDER] = ExitStack()
    if hasattr(config, "workerinput"):
        config.stash[_DSN] = config.workerinput["server_dsn"]
    elif os.environ.get("DATABASE_URL"):
        config.stash[_DSN] = os.environ["DATABASE_URL"]
    for name in list(os.environ):
        if name.startswith(("QUEUE_WORKER_", "JOB_", "RETENTION_")) or name in {
            "DATABASE_URL",
            "CONTENT_GENERATOR",
        }:
            del os.environ[name]
    os.environ.update(schema_variables())
    os.environ["QUEUE_WORKER_VALIDATION_SCHEDULE"] = "manual"  # no run that a test does not expect


def pytest_configure_node(node: Any) -> None:
    """xdist: the controller owns the server and tells its workers where it is."""
    node.workerinput["server_dsn"] = _server_dsn(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_FOLDER].close()


def _server_dsn(config: pytest.Config) -> str:
    if _DSN not in config.stash:
        version = os.environ.get("TEST_POSTGRES", "18")
        server = config.stash[_FOLDER].enter_context(temporary_server(version))
        config.stash[_DSN] = server.dsn()
    return config.stash[_DSN]


@pytest.fixture(scope="session")
def server_dsn(pytestconfig: pytest.Config) -> str:
    """The DSN of the server itself."""
    return _server_dsn(pytestconfig)


@pytest.fixture(scope="session")
def template(server_dsn: str, worker_id: str) -> Iterator[str]:
    """The name of a migrated database that each test gets a clone of."""
    name = f"{_TEMPLATE}_{os.getpid()}_{worker_id}"
    _create_database(server_dsn, name)
    with connect(make_conninfo(server_dsn, dbname=name), name="tests") as connection:
        migrate(connection)
        make_test_roles(connection)
    yield name
    _drop_database(server_dsn, name)
    with connect(server_dsn, name="tests") as connection:
        drop_test_roles(connection)


@pytest.fixture
def empty_database(server_dsn: str, worker_id: str) -> Iterator[str]:
    """The DSN of a database with nothing in it."""
    yield from _temporary_database(server_dsn, worker_id, template="template1")


@pytest.fixture
def database(server_dsn: str, template: str, worker_id: str) -> Iterator[str]:
    """The DSN of a migrated database of this test's own."""
    yield from _temporary_database(server_dsn, worker_id, template)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to this test's database, in autocommit."""
    with connect(database, name="test") as connection:
        yield connection


@pytest.fixture
def settings(database: str) -> Settings:
    """Settings that point at this test's database."""
    return load_settings(database_url=database)


@pytest.fixture(scope="session")
def oulad() -> Path:
    """The folder of real learner clicks."""
    if not OULAD.is_dir():
        pytest.skip("the OULAD sample is not on this machine")
    return OULAD


def _temporary_database(server_dsn: str, worker_id: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{worker_id}_{next(_numbers)}"
    _create_database(server_dsn, name, template)
    yield make_conninfo(server_dsn, dbname=name)
    _drop_database(server_dsn, name)


def _create_database(server_dsn: str, name: str, template: str = "template1") -> None:
    _administer(server_dsn, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template)))  # fmt: skip
    close_public(server_dsn, name)


def _drop_database(server_dsn: str, name: str) -> None:
    _administer(server_dsn, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _administer(server_dsn: str, command: sql.Composed) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(command)
