"""TEST_SCHEMA=name: the same tests where no schema has its usual name and public is closed.

The statements of the tests themselves are read with the names of that place; those of queue_worker
are left alone, so that one which says a usual name fails: there is no such schema.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

QUEUE_SCHEMA = "Queue of ours"
_NAME = os.environ.get("TEST_SCHEMA", "")
_VARIABLES = {
    "QUEUE_WORKER_SCHEMA": _NAME,
    "QUEUE_WORKER_CONTENT_SCHEMA": _NAME and f"{_NAME}_content",
}
# For tests of texts in which the usual names stand.
usual_names = pytest.mark.skipif(bool(_NAME), reason="it is about the usual names of the schemas")
_TESTS = str(Path(__file__).resolve().parents[1])


def schema_variables() -> dict[str, str]:
    """What the environment of every process of the tests says about schemas."""
    return {name: value for name, value in _VARIABLES.items() if value}


def use_other_schemas() -> None:
    """Let this process, of the tests or of their jobs, work with the names of TEST_SCHEMA."""
    for name, value in schema_variables().items():
        os.environ.setdefault(name, value)
    if _NAME:
        for kind in (
            psycopg.Connection,
            psycopg.AsyncConnection,
            psycopg.Cursor,
            psycopg.AsyncCursor,
        ):
            _rename_statements(kind, "execute")
        for kind in (psycopg.Cursor, psycopg.AsyncCursor):
            _rename_statements(kind, "executemany")
            _rename_statements(kind, "copy")


def refuse_other_names() -> None:
    """The names of the caller's own environment may have been read already."""
    if os.environ.get("QUEUE_WORKER_SCHEMA", "") != _NAME:
        raise pytest.UsageError("The schemas of the tests are named by TEST_SCHEMA alone")


def close_public(dsn: str, database: str) -> None:
    """Let procrastinate's tables have their place elsewhere, where TEST_SCHEMA says so."""
    if not _NAME:
        return
    names = {"database": sql.Identifier(database), "schema": sql.Identifier(QUEUE_SCHEMA)}
    with psycopg.connect(dsn, dbname=database, autocommit=True) as connection:
        for command in (
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "CREATE SCHEMA IF NOT EXISTS {schema}",
            "ALTER DATABASE {database} SET search_path = {schema}",
        ):
            connection.execute(sql.SQL(command).format(**names))


def _rename_statements(kind: type[Any], method: str) -> None:
    original: Callable[..., Any] = getattr(kind, method)

    def run(self: object, query: object, *arguments: Any, **options: Any) -> Any:
        if sys._getframe(1).f_code.co_filename.startswith(_TESTS):
            query = _renamed(query)
        return original(self, query, *arguments, **options)

    setattr(kind, method, run)


def _renamed(query: Any) -> Any:
    from queue_worker.schemas import renamed  # noqa: PLC0415  when the environment is settled

    match query:
        case str():
            return renamed(query)
        case bytes():
            return renamed(query.decode()).encode()
        case sql.SQL():
            return sql.SQL(renamed(query._obj))
        case sql.Identifier() if len(query._obj) > 1:
            schema, *within = query._obj
            return sql.Identifier(renamed(f"{schema}.").removesuffix("."), *within)
        case sql.Composed():
            return sql.Composed([_renamed(part) for part in query])
    return query
