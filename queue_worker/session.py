"""One connection for one purpose: opened when it is needed, and again after it broke."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from queue_worker.database import READ_ONLY, connect_async, describe_target
from queue_worker.errors import DatabaseUnreachable
from queue_worker.statements import positional_statement

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Fetch = Callable[[str, Mapping[str, Any]], Awaitable[Rows]]

# What the server is told of a client that may vanish: its locks must not outlive it by hours, and a
# statement that waits for a lock must end with it. And a claim is costed far above jit_above_cost,
# but compiling it takes longer than running it.
_PREPARATION = """
    SET jit = off;
    SET client_connection_check_interval = '1s';
    SET tcp_keepalives_idle = 5;
    SET tcp_keepalives_interval = 2;
    SET tcp_keepalives_count = 3
"""
# For statements on tables that are empty now and hold millions later: each has indexes that fit it,
# and with nothing else to choose from no statistics, however old, lead the planner astray. Planning
# such a statement anew each time would take longer than running it.
_PINNING = """
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_bitmapscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET enable_material = off;
    SET enable_sort = off;
    SET enable_incremental_sort = off
"""
_LATE = 0.1  # seconds; a timer that is later than this tells of the loop, not of the server


class Session:
    """Runs the statements of `sql/queries` one after the other, each within a time limit.

    Args:
        dsn: where to connect.
        name: its application_name.
        connect_timeout: seconds to wait for a connection.
        time_limit: seconds to wait for an answer; then the connection is ended.
        lock_timeout: seconds that a statement may wait for a lock; None for no such limit.
        pinned: whether plans are made once, by indexes alone, and kept whatever the tables hold.
    """

    def __init__(
        self,
        dsn: str,
        *,
        name: str,
        connect_timeout: float,
        time_limit: float = 30.0,
        lock_timeout: float | None = None,
        pinned: bool = False,
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._connect_timeout = connect_timeout
        self._time_limit = time_limit
        self._lock_timeout = lock_timeout
        self._pinned = pinned
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()

    async def fetch(self, name: str, parameters: Mapping[str, Any]) -> Rows:
        """The rows of `sql/queries/<name>.sql`, or none where it returns none.

        Raises:
            DatabaseUnreachable: there is no connection, it broke, the time limit has passed, or the
                server has become one that only reads; whether the statement took effect is unknown.
                The next call connects anew.
            psycopg.Error: the statement itself failed.
        """
        async with self._turn, self._guarded() as connection:
            return await fetch_rows(connection, name, parameters)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Fetch]:
        """Several statements that take effect together, or not at all if the block raises.

        Raises: as `fetch`.
        """
        async with self._turn, self._guarded() as connection, connection.transaction():
            yield functools.partial(fetch_rows, connection)

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
        self.sever()
        async with self._turn:
            await self._discard()

    @contextlib.asynccontextmanager
    async def _guarded(self) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
        try:
            is_new = not self.is_open
            connection = await self._open()
            self._start_limit()
            try:
                if is_new:
                    await _unless_cancelled(connection, self._prepare(connection))
                yield connection
            finally:
                self._stop_limit()
        except psycopg.errors.ReadOnlySqlTransaction as error:  # demoted: look for the new primary
            await self._discard()
            raise DatabaseUnreachable(describe_target(self._dsn), READ_ONLY) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if isinstance(error, psycopg.OperationalError) and self.is_open:
                raise  # the server answered: a lock or statement timeout, say
            await self._discard()
            raise DatabaseUnreachable(describe_target(self._dsn), str(error).strip()) from error
        except asyncio.CancelledError:
            await self._discard()
            raise

    async def _open(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect_async(
                self._dsn, name=self._name, connect_timeout=self._connect_timeout
            )
        return self._connection

    async def _prepare(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        await connection.execute(_PREPARATION)
        if self._pinned:
            await connection.execute(_PINNING)
        if self._lock_timeout is not None:
            milliseconds = sql.Literal(round(self._lock_timeout * 1000))
            await connection.execute(sql.SQL("SET lock_timeout = {}").format(milliseconds))

    def _start_limit(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._time_limit
        self._limit = loop.call_at(due, self._expire, due)

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _expire(self, due: float) -> None:
        if asyncio.get_running_loop().time() - due > _LATE:
            self._start_limit()  # a job has blocked the loop: the answer may only wait to be read
        else:
            self.sever()

    def sever(self) -> None:
        """End the connection at once, and all its locks with it."""
        if self._connection is not None:
            _sever(self._connection)

    async def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def execute(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], query: sql.SQL | sql.Composed
) -> None:
    """Run a statement that returns nothing; cancelling this ends the connection at once."""
    await _unless_cancelled(connection, connection.execute(query))


async def fetch_rows(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], name: str, parameters: Mapping[str, Any]
) -> Rows:
    """The rows of `sql/queries/<name>.sql`; cancelling this ends the connection at once."""
    text, names = positional_statement(name)
    cursor = psycopg.AsyncRawCursor(connection)
    values = [parameters[name] for name in names]
    await _unless_cancelled(connection, cursor.execute(text, values))
    return await cursor.fetchall() if cursor.description else []


async def _unless_cancelled(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], work: Coroutine[Any, Any, T]
) -> T:
    """The result of `work` on this connection, which a cancellation ends.

    On its own psycopg would ask the server first, over a network that may swallow the question, and
    an error that comes of this would take the place of the cancellation.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        _sever(connection)
        await asyncio.gather(task, return_exceptions=True)
        raise


def _sever(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    """End the connection at once: what waits for it gets an error."""
    if not connection.closed:
        with (
            socket.socket(fileno=os.dup(connection.fileno())) as twin,
            contextlib.suppress(OSError),  # the other side was quicker
        ):
            twin.shutdown(socket.SHUT_RDWR)
