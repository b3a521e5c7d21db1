"""Which statements a server gets, counted from outside.

Transactions are counted by every server. Their texts are known where pg_stat_statements is there,
or where the server's log is ours to read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from tests.benchmarks.measuring import Measuring

_LOGGED = re.compile(r"LOG:  (?:statement|execute [^:]*): ")


@dataclass(frozen=True)
class Counted:
    """What came between two readings; None is unknown.

    Attributes:
        transactions: how many ended, of all sessions in the database.
        statements: how many were sent.
        claims: how many of these claim jobs.
    """

    transactions: int
    statements: int | None
    claims: int | None


class StatementCounter:
    """Counts what is sent to one database, by sessions that connect after it was made."""

    def __init__(self, measuring: Measuring, dsn: str, claim_pattern: str) -> None:
        server = measuring.server
        self._flush = measuring.plan.settle / 2
        self._claim = re.compile(claim_pattern, re.IGNORECASE | re.DOTALL)
        self._connection = psycopg.connect(server.dsn, autocommit=True)
        with psycopg.connect(dsn, autocommit=True) as inside:
            self._database = inside.info.dbname
            if server.log is not None:
                _log_all(inside, self._database)
        self._log = server.log
        self._has_texts = server.log is None and _has_pg_stat_statements(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def read(self) -> Counted:
        """Everything so far, once sessions have told the statistics of their transactions."""
        time.sleep(self._flush)
        row = self._connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s",
            [self._database],
        ).fetchone()
        texts = list(self._texts()) if self._log or self._has_texts else None
        if texts is None:
            return Counted(row[0] if row else 0, None, None)
        claims = sum(calls for text, calls in texts if self._claim.search(text))
        return Counted(row[0] if row else 0, sum(calls for _, calls in texts), claims)

    def _texts(self) -> Iterator[tuple[str, int]]:
        if self._log is not None:
            yield from ((text, 1) for text in _logged(self._log, self._database))
            return
        yield from self._connection.execute(
            "SELECT query, calls FROM pg_stat_statements JOIN pg_database AS d ON d.oid = dbid"
            " WHERE datname = %s",
            [self._database],
        )


@contextmanager
def between(counter: StatementCounter) -> Iterator[list[Counted]]:
    """What came during the block; the list has it when the block has ended."""
    found: list[Counted] = []
    first = counter.read()
    yield found
    last = counter.read()
    found.append(
        Counted(
            last.transactions - first.transactions,
            _difference(last.statements, first.statements),
            _difference(last.claims, first.claims),
        )
    )


def _difference(last: int | None, first: int | None) -> int | None:
    return None if last is None or first is None else last - first


def _log_all(connection: psycopg.Connection[Any], database: str) -> None:
    """Have the server log every statement of this database with the database's name."""
    name = sql.Identifier(database)
    for setting in ("log_statement = 'all'", "log_min_messages = 'log'"):
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET {}").format(name, sql.SQL(setting))  # type: ignore[arg-type]
        )


def _logged(log: Path, database: str) -> Iterator[str]:
    """The texts of the statements that the log has of this database."""
    mark, text = f"{database}:", ""
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("\t"):
            text += line
            continue
        if text:
            yield text
        found = _LOGGED.search(line) if line.startswith(mark) else None
        text = line[found.end() :] or " " if found else ""
    if text:
        yield text


def _has_pg_stat_statements(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("SELECT FROM pg_stat_statements LIMIT 1")
    except psycopg.Error:
        return False
    return True
