"""Notice that the database is no longer one that this version can work on."""

from __future__ import annotations

import asyncio

import psycopg
import structlog
from psycopg.types.json import Jsonb

from queue_worker.errors import MigrationError
from queue_worker.governance.migrations import require_ledger
from queue_worker.session import Session
from queue_worker.worker.backoff import persist

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

LOOK_INTERVAL = 60.0  # seconds


class SchemaWatch:
    """Looks at the ledger of migrations and at the functions that they made, every minute."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.problem: str | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await persist("looking at the schema", self.look)
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self) -> None:
        """Look once.

        Raises:
            DatabaseUnreachable: the database does not answer; what was found before still holds.
        """
        self.problem = await self._find_problem()
        if self.problem:
            log.error("schema.unfit", problem=self.problem)

    async def _find_problem(self) -> str | None:
        try:
            require_ledger(await self._session.fetch("read_migrations", {}))
            edited = await self._find_edited()
        except MigrationError as error:
            return str(error)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return "The database has no ledger of migrations. Run `queue-worker migrate`."
        return f"Edited by hand: {', '.join(edited)}; see `queue-worker check`." if edited else None

    async def _find_edited(self) -> list[str]:
        async with self._session.transaction() as fetch:
            await fetch("name_in_full", {})
            found = [
                {"object": name, "digest": digest, "server": server}
                for name, digest, server in await fetch("read_fingerprints", {})
            ]
            return [name for (name,) in await fetch("list_edited_objects", {"found": Jsonb(found)})]
