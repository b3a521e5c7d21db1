"""Enqueue jobs from code: for the event loop, for blocking code, in the caller's transaction.

Both clients are thin: what they write and how they read the answer stands in `requests`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import psycopg
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from queue_worker.database import connect, connect_async, connection_arguments
from queue_worker.definitions import JobDefinition
from queue_worker.observability.tracing import trace_reader
from queue_worker.queue.django import driver_connection, is_django
from queue_worker.queue.requests import (
    EnqueueAnswer,
    EnqueueOptions,
    EnqueueRequest,
    Explained,
    read_answer,
    read_answers,
    write_batch,
    write_item,
)
from queue_worker.queue.sqlalchemy import (
    is_async_sqlalchemy,
    is_session,
    is_sqlalchemy,
    named_statement,
)
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings
from queue_worker.statements import positional_statement, statement

ArgsT = TypeVar("ArgsT")
Values = Sequence[Any]  # in the order of a statement's placeholders
Rows = Sequence[Sequence[Any]]
_NAME = "queue_worker client"
# The server was stopped, or is no longer the primary: nothing was written, and other connections
# of the pool will say the same.
_MOVED = (psycopg.errors.AdminShutdown, psycopg.errors.ReadOnlySqlTransaction)


class QueueClient:
    """Enqueues from async code.

    Usable as `async with QueueClient(registry, settings) as queue`; otherwise call `close` at the
    end. Connects when it is first used without a `connection`.
    """

    def __init__(self, registry: JobRegistry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._read_trace = trace_reader(settings)
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] | None = None
        self._opening = asyncio.Lock()

    async def enqueue(
        self,
        job: JobDefinition[ArgsT] | str,
        args: ArgsT | None = None,
        *,
        connection: Any = None,  # noqa: ANN401  a library's, which is optional
        **options: Unpack[EnqueueOptions],
    ) -> EnqueueAnswer:
        """Enqueue one job; EnqueueRequest says what each option means.

        With `connection` (psycopg AsyncConnection, SQLAlchemy AsyncConnection or AsyncSession) it
        happens in the caller's open transaction, and only if that one commits.

        Raises:
            UnknownJobError: the job is not in the registry.
            ArgumentsError: arguments or options do not fit; nothing was written.
            EnqueueError: the database refused it.
            DatabaseUnreachable: no connection could be made.
        """
        request = EnqueueRequest(job=job, args=args, **options)
        most = self._settings.max_args_bytes
        item = write_item(self._registry, request, most, self._read_trace())
        return read_answer(await self._ask("enqueue_job", item, connection))

    async def enqueue_many(
        self,
        requests: Sequence[EnqueueRequest[Any]],
        *,
        connection: Any = None,  # noqa: ANN401  a library's, which is optional
    ) -> list[EnqueueAnswer]:
        """Enqueue many jobs in one statement; answers each in its place.

        A job whose queueing lock already waits skips only itself. Arguments that do not fit
        refuse the whole batch before anything is written.

        Raises: as `enqueue`.
        """
        if not requests:
            return []
        most = self._settings.max_args_bytes
        batch = write_batch(self._registry, requests, most, self._read_trace())
        return read_answers(await self._ask("enqueue_jobs", [batch], connection))

    async def close(self) -> None:
        """Close the connections; the client can be used again."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    async def _ask(self, name: str, values: Values, connection: Any) -> Rows:  # noqa: ANN401  see enqueue
        with Explained(self._settings.dsn):
            if connection is None:
                return await self._ask_own(name, values)
            if is_async_sqlalchemy(connection):
                own = await connection.connection() if is_session(connection) else connection
                result = await own.execute(named_statement(name), _named(name, values))
                rows: Rows = result.all()
                return rows
            if not isinstance(connection, psycopg.AsyncConnection):
                raise _wrong_kind(connection)
            return await _ask(connection, name, values)

    async def _ask_own(self, name: str, values: Values) -> Rows:
        pool = self._pool or await self._open_pool()
        try:
            return await _ask_one_of(pool, name, values)
        except _MOVED:
            await pool.drain()
            return await _ask_one_of(pool, name, values)

    async def _open_pool(self) -> AsyncConnectionPool[psycopg.AsyncConnection[Any]]:
        async with self._opening:
            if self._pool is None:
                await (await connect_async(**_trial(self._settings))).close()
                pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
                    **_pool_arguments(self._settings), configure=_expect_pooler
                )
                await pool.open()
                self._pool = pool
            return self._pool


class SyncQueueClient:
    """Enqueues from blocking code; otherwise as QueueClient."""

    def __init__(self, registry: JobRegistry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._read_trace = trace_reader(settings)
        self._pool: ConnectionPool[psycopg.Connection[Any]] | None = None
        self._opening = threading.Lock()

    def enqueue(
        self,
        job: JobDefinition[ArgsT] | str,
        args: ArgsT | None = None,
        *,
        connection: Any = None,  # noqa: ANN401  a library's, which is optional
        **options: Unpack[EnqueueOptions],
    ) -> EnqueueAnswer:
        """Enqueue one job; `connection` is psycopg's, SQLAlchemy's or Django's, or a Session.

        Raises: as QueueClient.enqueue.
        """
        request = EnqueueRequest(job=job, args=args, **options)
        most = self._settings.max_args_bytes
        item = write_item(self._registry, request, most, self._read_trace())
        return read_answer(self._ask("enqueue_job", item, connection))

    def enqueue_many(
        self,
        requests: Sequence[EnqueueRequest[Any]],
        *,
        connection: Any = None,  # noqa: ANN401  a library's, which is optional
    ) -> list[EnqueueAnswer]:
        """Enqueue many jobs in one statement; see QueueClient.enqueue_many."""
        if not requests:
            return []
        most = self._settings.max_args_bytes
        batch = write_batch(self._registry, requests, most, self._read_trace())
        return read_answers(self._ask("enqueue_jobs", [batch], connection))

    def close(self) -> None:
        """Close the connections; the client can be used again."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, name: str, values: Values, connection: Any) -> Rows:  # noqa: ANN401  see enqueue
        with Explained(self._settings.dsn):
            if connection is None:
                return self._ask_own(name, values)
            if is_sqlalchemy(connection) and not is_async_sqlalchemy(connection):
                own = connection.connection() if is_session(connection) else connection
                rows: Rows = own.execute(named_statement(name), _named(name, values)).all()
                return rows
            if is_django(connection):
                connection = driver_connection(connection)
            if not isinstance(connection, psycopg.Connection):
                raise _wrong_kind(connection)
            return _ask_sync(connection, name, values)

    def _ask_own(self, name: str, values: Values) -> Rows:
        pool = self._pool or self._open_pool()
        try:
            return _ask_one_of_sync(pool, name, values)
        except _MOVED:
            pool.drain()
            return _ask_one_of_sync(pool, name, values)

    def _open_pool(self) -> ConnectionPool[psycopg.Connection[Any]]:
        with self._opening:
            if self._pool is None:
                connect(**_trial(self._settings)).close()
                pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
                    **_pool_arguments(self._settings), configure=_expect_pooler_sync
                )
                pool.open()
                self._pool = pool
            return self._pool


def _trial(settings: Settings) -> dict[str, Any]:
    """A pool waits and does not say why: a first connection of its own does, and at once."""
    return {"dsn": settings.dsn, "name": _NAME, "connect_timeout": settings.connect_timeout}


def _pool_arguments(settings: Settings) -> dict[str, Any]:
    return {
        "conninfo": settings.dsn,
        "kwargs": {
            "autocommit": True,
            **connection_arguments(settings.dsn, _NAME, settings.connect_timeout),
        },
        "min_size": 0,  # at 1 the first call would not wait for that one, and open a second
        "max_size": settings.client_pool_size,
        "timeout": settings.connect_timeout,
        "open": False,
    }


async def _expect_pooler(connection: psycopg.AsyncConnection[Any]) -> None:
    """Prepare nothing through a pooler: the next statement may reach another session.

    A pooler is known by its answer: the session that carries out a statement is not the one that
    was logged in to.
    """
    cursor = await connection.execute(statement("read_session_id"))
    if await cursor.fetchone() != (connection.info.backend_pid,):
        connection.prepare_threshold = None


def _expect_pooler_sync(connection: psycopg.Connection[Any]) -> None:
    cursor = connection.execute(statement("read_session_id"))
    if cursor.fetchone() != (connection.info.backend_pid,):
        connection.prepare_threshold = None


def _wrong_kind(connection: object) -> TypeError:
    return TypeError(
        f"A {type(connection).__name__} does not fit: QueueClient takes the async connections and "
        "sessions of psycopg and SQLAlchemy, SyncQueueClient the others, and Django's on psycopg 3."
    )


def _named(name: str, values: Values) -> dict[str, Any]:
    _, names = positional_statement(name)
    return dict(zip(names, values, strict=True))


async def _ask_one_of(
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]], name: str, values: Values
) -> Rows:
    own = await pool.getconn()  # a block would also commit: in autocommit that does nothing, slowly
    try:
        return await _ask(own, name, values)
    finally:
        await pool.putconn(own)


def _ask_one_of_sync(
    pool: ConnectionPool[psycopg.Connection[Any]], name: str, values: Values
) -> Rows:
    own = pool.getconn()
    try:
        return _ask_sync(own, name, values)
    finally:
        pool.putconn(own)


async def _ask(connection: psycopg.AsyncConnection[Any], name: str, values: Values) -> Rows:
    text, _ = positional_statement(name)
    cursor = psycopg.AsyncRawCursor(connection, row_factory=tuple_row)
    await cursor.execute(text, values)
    return await cursor.fetchall()


def _ask_sync(connection: psycopg.Connection[Any], name: str, values: Values) -> Rows:
    text, _ = positional_statement(name)
    cursor = psycopg.RawCursor(connection, row_factory=tuple_row)
    cursor.execute(text, values)
    return cursor.fetchall()
