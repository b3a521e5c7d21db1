"""Does a migration of a newer procrastinate leave what our SQL rests on as it was?

Our claim, close, events and locks are made of procrastinate's tables. Files up to TESTED are part
of what this version was tested with. A later one is applied only if it takes nothing away, changes
nothing and puts nothing in the way; a new column that nobody must fill is welcome.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import psycopg

from queue_worker.errors import MigrationRefused
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]
Foundation = Mapping[str, tuple[str, bool]]

_WHOLE = "procrastinate/schema.sql"  # of an empty database, which our own files then build on
# What the server says where objects of ours rest on what a file takes away or changes.
_REFUSALS = (
    psycopg.ProgrammingError,
    psycopg.errors.DependentObjectsStillExist,
    psycopg.NotSupportedError,
)
TESTED = "procrastinate/03.04.00_50_post_add_retry_failed_job_procedure.sql"


@contextmanager
def kept_foundation(connection: Connection, migration: str) -> Iterator[None]:
    """Refuse what this block does if our SQL could not rest on it any more.

    Raises:
        MigrationRefused: names what has changed; the caller's transaction must not commit.
    """
    if migration <= TESTED or migration == _WHOLE:
        yield
        return
    before = _read(connection)
    try:
        yield
    except _REFUSALS as error:
        problem = error.diag.message_primary or type(error).__name__
        raise MigrationRefused(migration, [problem], version("procrastinate")) from error
    changes = list(_changes(before, _read(connection)))
    if changes:
        raise MigrationRefused(migration, changes, version("procrastinate"))


def _read(connection: Connection) -> Foundation:
    rows = connection.execute(statement("read_foundation"), {})
    return {name: (definition, is_harmless) for name, definition, is_harmless in rows}


def _changes(before: Foundation, after: Foundation) -> Iterator[str]:
    for name, (definition, _) in before.items():
        if name not in after:
            yield f"{name} is gone"
        elif after[name][0] != definition:
            yield f"{name} is another"
    for name, (_, is_harmless) in after.items():
        if name not in before and not is_harmless:
            yield f"{name} is new"
