"""What our functions and views looked like when a migration made them: was one edited by hand?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from queue_worker.schemas import renamed
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]


def edited_objects(connection: Connection) -> list[str]:
    """The functions and views that differ from what the migrations made, or are gone."""
    if not _are_kept(connection):
        return []
    found = Jsonb(_read(connection))
    rows = connection.execute(statement("list_edited_objects"), {"found": found}).fetchall()
    return [name for (name,) in rows]


@contextmanager
def fingerprinted(connection: Connection) -> Iterator[None]:
    """Record what this block makes, changes and drops.

    What was edited before, and is not made anew here, keeps the fingerprint that tells so.
    """
    before = Jsonb(_read(connection))
    yield
    if _are_kept(connection):
        connection.execute(
            statement("record_fingerprints"), {"before": before, "found": Jsonb(_read(connection))}
        )


def _are_kept(connection: Connection) -> bool:
    exists = renamed("SELECT to_regclass('queue_worker.fingerprint') IS NOT NULL")
    row = connection.execute(exists).fetchone()
    return bool(row and row[0])


def _read(connection: Connection) -> list[dict[str, Any]]:
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statement("name_in_full"))
        return cursor.execute(statement("read_fingerprints")).fetchall()
