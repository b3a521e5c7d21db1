"""Before the first migration: what is there already, and how far procrastinate has migrated it."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import psycopg

from queue_worker.errors import MigrationFailed, SchemaRefused
from queue_worker.queue.schema import procrastinate_migrations
from queue_worker.statements import statement


def refuse_schemas(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """See that our schemas can be made here, under the names that the environment gives them.

    Raises:
        SchemaRefused: one can't; or the queue is that of another installation.
    """
    refused = connection.execute(statement("find_refused_schemas"), {}).fetchone()
    if refused is not None:
        raise SchemaRefused(*refused)


def applied_before(connection: psycopg.Connection[tuple[Any, ...]]) -> set[str] | None:
    """The ledger names of the migrations that an existing database has; None if it has none.

    The marks are read in order; the first one missing ends the list.

    Raises:
        MigrationFailed: it is older than procrastinate 2.14.1 and cannot be adopted.
    """
    marks = connection.execute(statement("read_procrastinate_marks"), {}).fetchall()
    if not marks:
        return None
    found = [name for name, _ in takewhile(lambda mark: mark[1], marks)]
    oldest = marks[0][0]
    if not found:
        raise MigrationFailed(
            f"procrastinate/{oldest}",
            "this database is older than procrastinate 2.14.1; "
            "apply procrastinate's own migrations up to that version first",
        )
    before = {path.name for path in procrastinate_migrations() if path.name < oldest}
    return {f"procrastinate/{name}" for name in before.union(found)}
