"""A database for each test: a clone of one that is migrated once."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psycopg import sql
from psycopg.conninfo import make_conninfo

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate

_numbers = itertools.count(1)


@contextmanager
def migrated_database(server: str, prepare: Callable[[str], None] | None) -> Iterator[str]:
    """The name of a database at the level of this version, for as long as the block lasts.

    Args:
        server: the DSN of a server on which this role may create databases.
        prepare: given its DSN; adds what the tests need besides, and leaves no connection open.
    """
    with _temporary_database(server, "template1") as name:
        dsn = make_conninfo(server, dbname=name)
        with connect(dsn, name="queue_worker testing") as connection:
            migrate(connection)
        if prepare is not None:
            prepare(dsn)
        yield name


@contextmanager
def cloned_database(server: str, template: str) -> Iterator[str]:
    """The DSN of a copy of this database, for as long as the block lasts."""
    with _temporary_database(server, template) as name:
        yield make_conninfo(server, dbname=name)


@contextmanager
def _temporary_database(server: str, template: str) -> Iterator[str]:
    name = f"queue_worker_test_{os.getpid()}_{next(_numbers)}"
    identifiers = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    create = sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**identifiers)
    drop = sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**identifiers)
    with connect(server, name="queue_worker testing") as connection:
        connection.execute(create)
    try:
        yield name
    finally:
        with connect(server, name="queue_worker testing") as connection:
            connection.execute(drop)
