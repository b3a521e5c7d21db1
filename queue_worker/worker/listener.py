"""Listen for notifications. One is a hint to look, never a fact: any role may send one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import psycopg
import structlog
from psycopg import sql

from queue_worker.database import READ_ONLY, connect_async
from queue_worker.errors import DatabaseUnreachable
from queue_worker.session import execute, fetch_rows
from queue_worker.settings import Settings
from queue_worker.worker.backoff import PASSING, Backoff
from queue_worker.worker.turns import EVERYTHING, Hint, Place, read_hint

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

_ANY_QUEUE = "procrastinate_any_queue_v1"
_ONE_QUEUE = "procrastinate_queue_v1#"
PING_INTERVAL = 10.0  # seconds; a connection that is half open is found out by using it


class Listener:
    """Calls `on_hint` whenever something may have happened in the queues."""

    def __init__(
        self,
        settings: Settings,
        queues: Sequence[str],
        on_hint: Callable[[Hint], None],
        place: Callable[[], Place],
    ) -> None:
        self._place = place
        self._settings = settings
        self._channels = [_ONE_QUEUE + queue for queue in queues] or [_ANY_QUEUE]
        self._on_hint = on_hint
        self.is_listening = False

    async def run(self) -> None:
        """Listen until cancelled; connects again whenever the connection breaks."""
        backoff = Backoff("listening")
        while True:
            try:
                await self._listen(backoff.succeeded)
            except PASSING as error:
                await backoff.wait(error)

    async def _listen(self, on_listening: Callable[[], None]) -> NoReturn:
        connection = await connect_async(
            self._settings.direct_dsn,
            name="queue_worker listener",
            connect_timeout=self._settings.connect_timeout,
        )
        try:
            for channel in self._channels:
                await self._say(connection, sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            on_listening()
            self.is_listening = True
            self._on_hint(EVERYTHING)  # for what was said while nobody listened
            while True:
                async for told in connection.notifies(timeout=PING_INTERVAL):
                    self._on_hint(read_hint(told.payload, self._place()))
                await self._check_primary(connection)
        except (
            psycopg.OperationalError,
            psycopg.errors.ReadOnlySqlTransaction,
            TimeoutError,
        ) as error:
            raise DatabaseUnreachable("the listener's connection", str(error)) from error
        finally:
            self.is_listening = False
            await connection.close()

    async def _check_primary(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        """Who is no longer the primary answers, but says nothing of new jobs."""
        async with asyncio.timeout(self._settings.connect_timeout):
            ((is_primary,),) = await fetch_rows(connection, "ping_primary", {})
        if not is_primary:
            raise DatabaseUnreachable("the listener's connection", READ_ONLY)

    async def _say(
        self, connection: psycopg.AsyncConnection[tuple[Any, ...]], query: sql.SQL | sql.Composed
    ) -> None:
        async with asyncio.timeout(self._settings.connect_timeout):
            await execute(connection, query)
