"""Bring a database to the state that this version of the code needs.

One ledger, `queue_worker.migration`, knows every file that was ever applied: procrastinate's own
and ours. A file is applied once, in a transaction of its own, together with its row in the
ledger; functions and views are applied again whenever their text has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, LiteralString

import psycopg

from queue_worker.errors import DatabaseNewer, MigrationChanged, MigrationFailed, MigrationsPending
from queue_worker.governance.adoption import applied_before
from queue_worker.governance.fingerprints import edited_objects, fingerprinted
from queue_worker.governance.newer import Applied, Ledger, breaking, newer_files
from queue_worker.governance.roles import grant_again
from queue_worker.queue.schema import procrastinate_migrations, procrastinate_schema
from queue_worker.statements import sql_root, statement

Connection = psycopg.Connection[tuple[Any, ...]]
How = Literal["applied", "adopted", "included"]

_LOCK = "SELECT pg_advisory_lock(hashtextextended('queue_worker.migrate', 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('queue_worker.migrate', 0))"
_REPLACEABLE = ("functions/", "views/")


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file, and how it comes into the ledger."""

    name: str
    text: LiteralString
    how: How = "applied"

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def is_replaceable(self) -> bool:
        """Whether it may be applied again when its text has changed."""
        return self.name.startswith(_REPLACEABLE)

    @property
    def is_of_procrastinate(self) -> bool:
        """Whether procrastinate ships it."""
        return self.name.startswith("procrastinate/")


def plan_migrations(connection: Connection) -> list[Migration]:
    """What `migrate` would do, in order: what is pending, and what was edited by hand.

    Changes nothing.

    Raises:
        MigrationChanged: an applied file has other content now.
        DatabaseNewer: the database has files that this version does not know.
    """
    edited = {_name_of_file(name) for name in edited_objects(connection)}
    return _plan(connection, edited)


def _plan(connection: Connection, edited: set[str]) -> list[Migration]:
    ledger = _read_ledger(connection)
    known = [*_procrastinate_files(connection, ledger), *_own_files()]
    if newer := _newer(ledger, known):
        raise DatabaseNewer(newer)
    present = _read_replaceable_objects(connection)
    intact = present - edited
    return [m for m in known if _is_pending(m, ledger) or _is_gone(m, intact)]


def check_migrations(connection: Connection) -> None:
    """Refuse a database that is not in the state that this version needs.

    Raises:
        MigrationsPending: files are not applied yet.
        MigrationChanged: an applied file has other content now.
        DatabaseNewer: the database has files that this version does not know.
    """
    pending = _plan(connection, edited=set())
    if pending:
        raise MigrationsPending([m.name for m in pending])


def require_level(connection: Connection) -> list[str]:
    """Refuse a database that this version can't work on; returns by which files it is newer.

    While a later version is rolled out, workers of this one go on, and start again, on a database
    that is newer already: unless a migration of it says that it breaks them.

    Raises:
        MigrationsPending: files are not applied yet.
        MigrationChanged: an applied file has other content now.
        DatabaseNewer: a file that this version does not know breaks it.
    """
    ledger = _read_ledger(connection)
    known = [*_procrastinate_files(connection, ledger), *_own_files()]
    return _require(ledger, known, _read_replaceable_objects(connection))


def require_ledger(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """The same by the rows of the ledger alone.

    Raises: as `require_level`.
    """
    known = [*map(_of_procrastinate, procrastinate_migrations()), *_own_files()]
    return _require(_as_ledger(rows), known, {m.name for m in known})


def _require(ledger: Ledger, known: Sequence[Migration], present: set[str]) -> list[str]:
    newer = _newer(ledger, known)
    if broken := breaking(newer):
        raise DatabaseNewer(broken)
    pending = [m for m in known if _is_pending(m, ledger) or _is_gone(m, present)]
    # What can be applied again, a later version may have replaced, or dropped for good.
    if missing := [m.name for m in pending if not (newer and m.is_replaceable)]:
        raise MigrationsPending(missing)
    return newer


def _newer(ledger: Ledger, known: Sequence[Migration]) -> list[str]:
    files = {m.name: m.checksum for m in known}
    return newer_files(ledger, files | _retired(ledger), version("queue-worker"))


def migrate(
    connection: Connection, on_applied: Callable[[Migration], None] = lambda _: None
) -> list[Migration]:
    """Apply what is pending; safe to call from many processes at once, and again.

    Args:
        connection: in autocommit, straight to the server, as a role that may create schemas.
        on_applied: told of each file once it is committed.

    Raises:
        MigrationChanged: an applied file has other content now; nothing was touched.
        DatabaseNewer: the database has files that this version does not know.
        MigrationFailed: a file raised; it was rolled back whole, those before it stay applied.
    """
    with _alone(connection):
        pending = plan_migrations(connection)
        if pending:
            if not _read_ledger(connection):
                connection.execute(statement("create_migration_ledger"))
            with fingerprinted(connection):
                for migration in pending:
                    _apply(connection, migration)
                    on_applied(migration)
            grant_again(connection)
        return pending


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    connection.execute(_LOCK)
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute(_UNLOCK)


def _read_ledger(connection: Connection) -> Ledger:
    exists = connection.execute("SELECT to_regclass('queue_worker.migration')").fetchone()
    if exists is None or exists[0] is None:
        return {}
    return _as_ledger(connection.execute(statement("read_migrations")).fetchall())


def _as_ledger(rows: Iterable[tuple[Any, ...]]) -> Ledger:
    return {name: Applied(checksum, by) for name, checksum, by in rows}


def _read_replaceable_objects(connection: Connection) -> set[str]:
    return {name for (name,) in connection.execute(statement("read_replaceable_objects"))}


def _name_of_file(name: str) -> str:
    """The file that makes a function or a view, by the name of its fingerprint."""
    name, is_function, _ = name.partition("(")
    return f"{'functions' if is_function else 'views'}/{name.rpartition('.')[2]}.sql"


def _is_gone(migration: Migration, present: set[str]) -> bool:
    """Whether somebody has dropped or edited what this file makes: it can be made again."""
    return migration.is_replaceable and migration.name not in present


def _is_pending(migration: Migration, ledger: Ledger) -> bool:
    applied = ledger.get(migration.name)
    if applied is None or applied.checksum == migration.checksum:
        return applied is None
    if not migration.is_replaceable:
        raise MigrationChanged(migration.name, applied.checksum, migration.checksum)
    return True


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            if migration.how == "applied":
                if not migration.is_of_procrastinate:
                    connection.execute(statement("fix_search_path"))
                connection.execute(migration.text)
            connection.execute(
                statement("record_migration"),
                {
                    "name": migration.name,
                    "checksum": migration.checksum,
                    "how": migration.how,
                    "version": version("queue-worker"),
                },
            )
    except psycopg.Error as error:
        problem = error.diag.message_primary or type(error).__name__
        raise MigrationFailed(migration.name, problem) from error


def _own_files() -> Iterator[Migration]:
    for folder in ("migrations", "functions", "views"):
        for path in sorted((sql_root() / folder).glob("*.sql")):
            yield Migration(f"{folder}/{path.name}", path.read_text(encoding="utf-8"))


def _procrastinate_files(connection: Connection, ledger: Ledger) -> Iterable[Migration]:
    """Procrastinate's files: its whole schema on an empty database, else what came since."""
    migrations = [_of_procrastinate(path) for path in procrastinate_migrations()]
    if any(name.startswith("procrastinate/") for name in ledger):
        return migrations
    applied = applied_before(connection)
    if applied is not None:
        return [replace(m, how="adopted") if m.name in applied else m for m in migrations]
    schema = _of_procrastinate(procrastinate_schema())
    return [schema, *(replace(m, how="included") for m in migrations)]


def _of_procrastinate(path: Path) -> Migration:
    return Migration(f"procrastinate/{path.name}", path.read_text(encoding="utf-8"))


def _retired(ledger: Ledger) -> dict[str, str]:
    """What may stand in the ledger without a file: no longer shipped as such."""
    name = "procrastinate/schema.sql"
    return {name: ledger[name].checksum} if name in ledger else {}
