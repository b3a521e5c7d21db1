"""The roles that we ship, under names of the tests, and a login for each of them.

The template of all databases of the tests has them: worker processes run as the worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from queue_worker.database import connect
from queue_worker.governance.roles import make_roles

PREFIX = "queue_worker_test"
PARTS = ("owner", "worker", "enqueuer", "reader")


def role(part: str) -> str:
    """The role that has the rights."""
    return f"{PREFIX}_{part}"


def login(part: str) -> str:
    """A login that is a member of this role alone."""
    return f"{PREFIX}_{part}_login"


def as_login(dsn: str, part: str) -> str:
    """The same database as the login of a role; a DSN that names another login is left alone."""
    if conninfo_to_dict(dsn).get("user") != "postgres":
        return dsn
    return make_conninfo(dsn, user=login(part))


@contextmanager
def session(dsn: str, part: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(make_conninfo(dsn, user=login(part)), name=f"test as {part}") as connection:
        yield connection


def make_test_roles(connection: psycopg.Connection[Any]) -> None:
    """Roles, logins, and rights of the jobs of the tests on the tables of the tests."""
    _execute(connection, "SET queue_worker.role_prefix = {}", PREFIX)
    make_roles(connection)
    for part in PARTS:
        with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            _execute(connection, "CREATE ROLE {} LOGIN IN ROLE {}", login(part), role(part))
    schema = connection.execute("SELECT current_schema()").fetchone()
    assert schema
    _execute(
        connection,
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT ALL ON TABLES TO {}",
        schema[0],
        login("worker"),
    )


def drop_test_roles(connection: psycopg.Connection[Any]) -> None:
    """Where another process of the tests still needs them, they are left to it."""
    others = "SELECT FROM pg_database WHERE datname LIKE 'queue_worker_template_%'"
    if connection.execute(others).fetchone() is not None:
        return
    for name in [*map(login, PARTS), *map(role, PARTS)]:
        with suppress(psycopg.errors.DependentObjectsStillExist):
            _execute(connection, "DROP ROLE IF EXISTS {}", name)


def _execute(connection: psycopg.Connection[Any], command: str, *names: str) -> None:
    parts = map(sql.Identifier, names)
    connection.execute(sql.SQL(command).format(*parts))
