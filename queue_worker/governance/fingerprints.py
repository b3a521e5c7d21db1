"""What our functions and views looked like when a migration made them: was one edited by hand?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from queue_worker.schemas import renamed
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]
Rows = list[dict[str, Any]]


def edited_objects(connection: Connection) -> list[str]:
    """The functions and views that differ from what the migrations made, or are gone."""
    if not _are_kept(connection):
        return []
    found = Jsonb(_read(connection))
    rows = connection.execute(statement("list_edited_objects"), {"found": found}).fetchall()
    return [name for (name,) in rows]


def name_of_file(name: str) -> str:
    """The file that makes a function or a view, by the name of its fingerprint."""
    name, is_function, _ = name.partition("(")
    return f"{'functions' if is_function else 'views'}/{name.rpartition('.')[2]}.sql"


@contextmanager
def fingerprinted(connection: Connection, files: Sequence[str]) -> Iterator[None]:
    """Record what this block makes, changes and drops, also if it fails on the way.

    What was edited before, and is not made anew here, keeps the fingerprint that tells so.

    Args:
        connection: in autocommit.
        files: what the block applies; what they make is as it should be afterwards.
    """
    before = _read(connection)
    try:
        yield
    finally:
        if not connection.broken and _are_kept(connection):
            _record(connection, before, files)


def _record(connection: Connection, before: Rows, files: Sequence[str]) -> None:
    found = _read(connection)
    made = [row["object"] for row in found if name_of_file(row["object"]) in files]
    connection.execute(
        statement("record_fingerprints"),
        {"before": Jsonb(before), "found": Jsonb(found), "made": made},
    )


def _are_kept(connection: Connection) -> bool:
    exists = renamed("SELECT to_regclass('queue_worker.fingerprint') IS NOT NULL")
    row = connection.execute(exists).fetchone()
    return bool(row and row[0])


def _read(connection: Connection) -> Rows:
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statement("name_in_full"))
        return cursor.execute(statement("read_fingerprints")).fetchall()
