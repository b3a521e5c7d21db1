"""Which living workers would a migration break? Those of a version that does not know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from queue_worker.schemas import renamed
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]

_SILENCE = 12.0  # seconds; who has said nothing for so long is frozen, or dead


@dataclass(frozen=True, slots=True)
class LivingWorker:
    """A process that works on this database.

    Attributes:
        description: which it is, for people.
        level: the newest migration of each kind that its version knows.
    """

    description: str
    level: tuple[str, ...]

    def knows(self, migration: str) -> bool:
        """Whether its version was made with this migration in mind."""
        kind, _, _ = migration.partition("/")
        return any(known.startswith(f"{kind}/") and known >= migration for known in self.level)


def living_workers(connection: Connection) -> list[LivingWorker]:
    """Every worker that has lately said that it is alive, plain procrastinate's too."""
    found = []
    if _exists(connection, renamed("queue_worker.worker")):
        rows = connection.execute(statement("list_living_workers"), {"silence": _SILENCE})
        found += [LivingWorker(description, tuple(level)) for description, level in rows]
        if _exists(connection, "procrastinate_workers"):
            plain = connection.execute(statement("list_plain_workers"), {"silence": _SILENCE})
            found += [LivingWorker(f"plain procrastinate worker {id_}", ()) for (id_,) in plain]
    return found


def who_breaks(workers: Sequence[LivingWorker], migration: str) -> list[str]:
    """The workers that this migration would break."""
    return [worker.description for worker in workers if not worker.knows(migration)]


def _exists(connection: Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
    return bool(row and row[0])
