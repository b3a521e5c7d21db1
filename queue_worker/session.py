"""One connection for one purpose: opened when it is needed, and again after it broke."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import psycopg

from queue_worker.database import connect_async, describe_target
from queue_worker.errors import DatabaseUnreachable
from queue_worker.statements import statement

Rows = list[tuple[Any, ...]]
Fetch = Callable[[str, Mapping[str, Any]], Awaitable[Rows]]


class Session:
    """Runs the statements of `sql/queries` one after the other, each within a time limit."""

    def __init__(
        self, dsn: str, *, name: str, connect_timeout: float, time_limit: float = 30.0
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._connect_timeout = connect_timeout
        self._time_limit = time_limit
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._turn = asyncio.Lock()

    async def fetch(self, name: str, parameters: Mapping[str, Any]) -> Rows:
        """The rows of `sql/queries/<name>.sql`, or none where it returns none.

        Raises:
            DatabaseUnreachable: there is no connection, it broke, or the time limit has passed;
                whether the statement took effect is unknown. The next call connects anew.
            psycopg.Error: the statement itself failed.
        """
        async with self._turn, self._guarded() as connection:
            return await _fetch(connection, name, parameters)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Fetch]:
        """Several statements that take effect together, or not at all if the block raises.

        Raises: as `fetch`.
        """
        async with self._turn, self._guarded() as connection, connection.transaction():
            yield functools.partial(_fetch, connection)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that is not known to be broken."""
        return self._connection is not None and not self._connection.closed

    @property
    def backend_pid(self) -> int | None:
        """The server process of the connection, if there is one."""
        return self._connection.info.backend_pid if self._connection and self.is_open else None

    async def aclose(self) -> None:
        """Close the connection, also from under a statement; a later call opens another."""
        self._sever()
        async with self._turn:
            await self._discard()

    @contextlib.asynccontextmanager
    async def _guarded(self) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
        try:
            connection = await self._open()
            limit = asyncio.get_running_loop().call_later(self._time_limit, self._sever)
            try:
                yield connection
            finally:
                limit.cancel()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if isinstance(error, psycopg.OperationalError) and self.is_open:
                raise  # the server answered: a lock or statement timeout, say
            await self._discard()
            raise DatabaseUnreachable(describe_target(self._dsn), str(error).strip()) from error

    async def _open(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect_async(
                self._dsn, name=self._name, connect_timeout=self._connect_timeout
            )
        return self._connection

    def _sever(self) -> None:
        """End the connection at once: what waits for it gets an error.

        Cancelling the waiting task instead would ask the server first, over a network that may
        swallow the question.
        """
        if self._connection is not None and not self._connection.closed:
            with socket.socket(fileno=os.dup(self._connection.fileno())) as twin:
                with contextlib.suppress(OSError):  # the other side was quicker
                    twin.shutdown(socket.SHUT_RDWR)

    async def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _fetch(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], name: str, parameters: Mapping[str, Any]
) -> Rows:
    cursor = await connection.execute(statement(name), parameters)
    return await cursor.fetchall() if cursor.description else []
