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
from typing import Any, Literal, LiteralString, NamedTuple

import psycopg

from queue_worker.errors import DatabaseNewer, MigrationChanged, MigrationFailed, MigrationsPending
from queue_worker.governance.adoption import applied_before, refuse_schemas
from queue_worker.governance.fingerprints import edited_objects, fingerprinted, name_of_file
from queue_worker.governance.foundation import kept_foundation
from queue_worker.governance.newer import Applied, Ledger, breaking, newer_files
from queue_worker.governance.older_workers import living_workers, who_breaks
from queue_worker.governance.roles import grant_again
from queue_worker.queue.schema import procrastinate_migrations, procrastinate_schema
from queue_worker.schemas import renamed
from queue_worker.statements import sql_root, statement

Connection = psycopg.Connection[tuple[Any, ...]]
How = Literal["applied", "adopted", "included"]

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

    @property
    def kind(self) -> str:
        """The sequence that it is a part of: procrastinate's, or our own."""
        return "procrastinate" if self.is_of_procrastinate else "own"

    @property
    def breaks_older_workers(self) -> bool:
        """Whether workers of a version that does not know it could not go on.

        Its name says so. What this version of the code does must not rest on it: it is applied when
        no older worker is left.
        """
        if self.is_of_procrastinate:
            return self.how == "applied" and "_post_" in self.name
        return bool(breaking([self.name]))


class Level(NamedTuple):
    """Where a database stands that this version can work on.

    Attributes:
        newer: the files of a later version that it has.
        waiting: those of this version that wait until no older worker is left.
    """

    newer: list[str]
    waiting: list[str]


def plan_migrations(connection: Connection) -> list[Migration]:
    """What `migrate` would do, in order: what is pending, and what was edited by hand.

    Changes nothing.

    Raises:
        MigrationChanged: an applied file has other content now.
        DatabaseNewer: the database has files that this version does not know.
        SchemaRefused: nothing was applied yet, and our schemas can't be made here.
    """
    edited = {name_of_file(name) for name in edited_objects(connection)}
    return _plan(connection, edited)


def _plan(connection: Connection, edited: set[str]) -> list[Migration]:
    ledger = _read_ledger(connection)
    if not ledger:
        refuse_schemas(connection)
    known = [*_procrastinate_files(connection, ledger), *_own_files()]
    if newer := _newer(ledger, known):
        raise DatabaseNewer(newer)
    present = _read_replaceable_objects(connection)
    intact = present - edited
    return [m for m in known if _is_pending(m, ledger) or _is_gone(m, intact)]


def check_migrations(connection: Connection) -> list[str]:
    """Refuse a database that is not in the state that this version needs.

    Returns the files that are not applied and not needed: they wait until no older worker is left.

    Raises:
        MigrationsPending: files are not applied yet.
        MigrationChanged: an applied file has other content now.
        DatabaseNewer: the database has files that this version does not know.
        SchemaRefused: nothing was applied yet, and our schemas can't be made here.
    """
    needed, waiting = _divided(_plan(connection, edited=set()))
    if needed:
        raise MigrationsPending([m.name for m in needed])
    return [m.name for m in waiting]


def require_level(connection: Connection) -> Level:
    """Refuse a database that this version can't work on.

    While a later version is rolled out, workers of this one go on, and start again, on a database
    that is newer already: unless a migration of it says that it breaks them.

    Raises:
        MigrationsPending: files are not applied yet.
        MigrationChanged: an applied file has other content now.
        DatabaseNewer: a file that this version does not know breaks it.
        SchemaRefused: nothing was applied yet, and our schemas can't be made here.
    """
    ledger = _read_ledger(connection)
    if not ledger:
        refuse_schemas(connection)
    known = [*_procrastinate_files(connection, ledger), *_own_files()]
    return _require(ledger, known, _read_replaceable_objects(connection))


def require_ledger(rows: Iterable[tuple[Any, ...]]) -> Level:
    """The same by the rows of the ledger alone.

    Raises: as `require_level`.
    """
    known = [*map(_of_procrastinate, procrastinate_migrations()), *_own_files()]
    return _require(_as_ledger(rows), known, {m.name for m in known})


def _require(ledger: Ledger, known: Sequence[Migration], present: set[str]) -> Level:
    newer = _newer(ledger, known)
    if broken := breaking(newer):
        raise DatabaseNewer(broken)
    pending = [m for m in known if _is_pending(m, ledger) or _is_gone(m, present)]
    needed, waiting = _divided(pending)
    # What can be applied again, a later version may have replaced, or dropped for good.
    if missing := [m.name for m in needed if not (newer and m.is_replaceable)]:
        raise MigrationsPending(missing)
    return Level(newer, [m.name for m in waiting])


def _divided(pending: Sequence[Migration]) -> tuple[list[Migration], list[Migration]]:
    """What this version needs, and what can wait until no older worker is left."""
    waiting = [m for m in pending if m.breaks_older_workers]
    return [m for m in pending if m not in waiting], waiting


def _newer(ledger: Ledger, known: Sequence[Migration]) -> list[str]:
    files = {m.name: m.checksum for m in known}
    return newer_files(ledger, files | _retired(ledger), version("queue-worker"))


def migrate(
    connection: Connection,
    on_applied: Callable[[Migration], None] = lambda _: None,
    *,
    despite_older_workers: bool = False,
) -> list[Migration]:
    """Apply what is pending; safe to call from many processes at once, and again.

    What would break a living worker of an older version is held back, with what may rest on it;
    `held_back` tells of it. Call this again when they are gone.

    Args:
        connection: in autocommit, straight to the server, as a role that may create schemas.
        on_applied: told of each file once it is committed.
        despite_older_workers: hold nothing back.

    Returns what was applied.

    Raises:
        MigrationChanged: an applied file has other content now; nothing was touched.
        DatabaseNewer: the database has files that this version does not know.
        SchemaRefused: nothing was applied yet, and our schemas can't be made here.
        MigrationFailed: a file raised; it was rolled back whole, those before it stay applied.
        MigrationRefused: the same for a file of a newer procrastinate that our SQL can't work on.
    """
    with _alone(connection):
        pending = plan_migrations(connection)
        if not despite_older_workers:
            kept = {migration.name for migration, _ in held_back(connection, pending)}
            pending = [m for m in pending if m.name not in kept]
        if pending:
            if not _read_ledger(connection):
                connection.execute(statement("create_migration_ledger"))
            with fingerprinted(connection, [m.name for m in pending]):
                for migration in pending:
                    _apply(connection, migration)
                    on_applied(migration)
            grant_again(connection)
        return pending


def held_back(
    connection: Connection, pending: Sequence[Migration]
) -> list[tuple[Migration, list[str]]]:
    """What of this would break living workers, or may rest on such a file, and which workers.

    Files of a sequence build on each other. What can be replaced rests on none that breaks: it is
    held back only with another file that it may need.
    """
    workers = living_workers(connection)
    found: list[tuple[Migration, list[str]]] = []
    broken: dict[str, list[str]] = {}
    for migration in pending:
        older = who_breaks(workers, migration.name) if migration.breaks_older_workers else []
        if older:
            broken.setdefault(migration.kind, older)
        kind = "replaceable" if migration.is_replaceable else migration.kind
        if kind in broken:
            found.append((migration, broken[kind]))
            if not migration.breaks_older_workers:  # ours may need it
                broken.setdefault("own", broken[kind])
                broken.setdefault("replaceable", broken[kind])
    return found


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    connection.execute(statement("hold_migrations"))
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute(statement("release_migrations"))


def _read_ledger(connection: Connection) -> Ledger:
    exists = connection.execute(renamed("SELECT to_regclass('queue_worker.migration')")).fetchone()
    if exists is None or exists[0] is None:
        return {}
    return _as_ledger(connection.execute(statement("read_migrations")).fetchall())


def _as_ledger(rows: Iterable[tuple[Any, ...]]) -> Ledger:
    return {name: Applied(checksum, by) for name, checksum, by in rows}


def _read_replaceable_objects(connection: Connection) -> set[str]:
    return {name for (name,) in connection.execute(statement("read_replaceable_objects"))}


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
                _execute(connection, migration)
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


def _execute(connection: Connection, migration: Migration) -> None:
    if migration.is_of_procrastinate:
        with kept_foundation(connection, migration.name):
            connection.execute(migration.text)
    else:
        connection.execute(statement("fix_search_path"))
        connection.execute(renamed(migration.text))


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
