"""Notice that the database is no longer at the level that this worker needs."""

from __future__ import annotations

import asyncio

import psycopg
import structlog

from queue_worker.governance.migrations import missing_migrations
from queue_worker.session import Session
from queue_worker.worker.backoff import persist

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

LOOK_INTERVAL = 60.0  # seconds


class SchemaWatch:
    """Compares the migrations of the database with those of this version, every minute.

    A newer database is none of its business: migrations break no older worker, or say so.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.problem: str | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await persist("comparing migrations", self.look)
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self) -> None:
        """Look once.

        Raises:
            DatabaseUnreachable: the database does not answer; what was found before still holds.
        """
        try:
            rows = await self._session.fetch("read_migrations", {})
        except psycopg.errors.UndefinedTable:
            rows = []
        missing = missing_migrations(dict(rows))
        self.problem = f"missing, or changed since: {', '.join(missing)}" if missing else None
        if missing:
            log.error("migrations.missing", migrations=missing)
