"""The server that is measured on: the one at DATABASE_URL, or a temporary one; and databases in it.

Every database is made here and dropped here; those that were there before are left alone.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.postgres import temporary_server

# As safe as a server is by default, and large enough for the tables of the longest measurement.
OPTIONS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "max_connections": "600",
    "log_line_prefix": "%d:",
}
_CONDITIONS = (
    "server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers",
    "max_wal_size", "jit", "autovacuum",
)  # fmt: skip


class CannotMeasureError(Exception):
    """Something that a measurement needs is missing; the message names the remedy."""


@dataclass
class BenchmarkServer:
    """A server, and the databases that the benchmark has made in it.

    Attributes:
        dsn: a database of it that can be connected to.
        log: the file with its log lines, if it is ours.
    """

    dsn: str
    log: Path | None = None
    _templates: dict[tuple[str, str], str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def conditions(self) -> dict[str, str]:
        """The settings of the server that the figures depend on."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return {name: _show(connection, name) for name in _CONDITIONS}

    @contextmanager
    def database(
        self, system: str, create: Callable[[str], None], *, contents: str = "empty"
    ) -> Iterator[str]:
        """The DSN of a new database of this system, dropped after the block.

        What `create` makes is made once for all databases with the same contents.
        """
        key = (system, contents)
        if key not in self._templates:
            self._templates[key] = self._create(system, "template1")
            create(make_conninfo(self.dsn, dbname=self._templates[key]))
        name = self._create(system, self._templates[key])
        try:
            yield make_conninfo(self.dsn, dbname=name)
        finally:
            self._drop(name)

    def checkpoint(self) -> None:
        """Begin with nothing left to write, where the role may."""
        with suppress(psycopg.errors.InsufficientPrivilege):
            self._administer(sql.SQL("CHECKPOINT"))

    def drop_templates(self, contents: str | None = None) -> None:
        """Drop what databases with these contents are made from; None means all."""
        for key in [key for key in self._templates if contents in {key[1], None}]:
            self._drop(self._templates.pop(key))

    def _create(self, system: str, template: str) -> str:
        name = f"benchmark_{os.getpid()}_{next(self._numbers)}_{system.replace('-', '_')}"
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return name

    def _drop(self, name: str) -> None:
        self._administer(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def _administer(self, command: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(command)


@contextmanager
def benchmark_server(dsn: str | None) -> Iterator[BenchmarkServer]:
    """The server at this DSN, or a temporary one that ends with the block.

    Raises:
        CannotMeasureError: it can't be reached, or the role may not create databases.
    """
    if dsn:
        _require_createdb(dsn)
        server = BenchmarkServer(dsn)
        try:
            yield server
        finally:
            server.drop_templates()
        return
    with temporary_server(os.environ.get("TEST_POSTGRES", "18"), OPTIONS) as own:
        socket = f"postgresql://postgres@/postgres?host={own.folder}&port={own.port}"
        yield BenchmarkServer(socket, own.folder / "log")


def _require_createdb(dsn: str) -> None:
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            row = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError as error:
        raise CannotMeasureError(
            f"DATABASE_URL cannot be reached: {str(error).strip()}. Correct it, or unset it to "
            "measure on a temporary server."
        ) from None
    if not row or not row[0]:
        raise CannotMeasureError(
            "The role of DATABASE_URL may not create databases. ALTER ROLE … CREATEDB, or unset "
            "DATABASE_URL to measure on a temporary server."
        )


def _show(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else ""
