"""What a job function is given: who it is, how long it has, and connections that end with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog
from psycopg import sql

from queue_worker.database import connect, connect_async
from queue_worker.errors import RunError
from queue_worker.schemas import run_prefix, schema_names
from queue_worker.settings import Settings


@dataclass(
    slots=True, eq=False, kw_only=True
)  # not frozen: a run would take twice the time to start
class JobContext:
    """The run that a job function is called for.

    Attributes:
        job: the name of the job.
        run_id: the run, as `<queue job id>.<attempt>`.
        attempt: 1 for the first run of a queued job.
        queue: the queue it waited in.
        lock_key: the key that this run holds, or None.
        due_at: the tick that made it due; None for a run on demand.
        enqueued_at: when it was put into the queue, by the database's clock.
        timeout: seconds from start to deadline.
        started: `time.monotonic()` at the start.
        settings: the settings of the process.
    """

    job: str
    run_id: str
    attempt: int
    queue: str
    lock_key: str | None
    due_at: datetime | None
    enqueued_at: datetime
    timeout: float
    started: float
    settings: Settings

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self.started + self.timeout - time.monotonic())

    @property
    def fence(self) -> tuple[str, str]:
        """What `SELECT queue_worker.assert_fence(%s, %s)` takes: the lock key and our token.

        Called in the transaction that writes, it raises unless this run still holds its lock key.

        Raises:
            RunError: this run holds no lock key.
        """
        if self.lock_key is None:
            raise RunError(f"Job {self.job!r} has no lock key to fence with. Declare lock=...")
        return self.lock_key, self.run_id

    @property
    def log(self) -> structlog.stdlib.BoundLogger:
        """A logger; its lines carry the run id, job, queue and attempt."""
        logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(self.job)
        return logger

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
        """A connection for an `async def` job, in a transaction that commits at the end.

        Its statements are cancelled at the deadline of the run, and its application_name names
        the run, so that pg_stat_activity shows who it is.

        Raises:
            DatabaseUnreachable: no connection could be made.
        """
        connection = await connect_async(self.settings.direct_dsn, name=self._name)
        async with connection:
            await connection.execute(self._time_limit())
            await connection.set_autocommit(False)
            yield connection

    @contextlib.contextmanager
    def sync_connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """The same for a plain `def` job.

        Raises:
            DatabaseUnreachable: no connection could be made.
        """
        with connect(self.settings.direct_dsn, name=self._name) as connection:
            connection.execute(self._time_limit())
            connection.autocommit = False
            yield connection

    @property
    def _name(self) -> str:
        return f"{run_prefix(schema_names().ours)}{self.run_id} {self.job}"

    def _time_limit(self) -> sql.Composed:
        milliseconds = max(1, round(self.remaining * 1000))
        return sql.SQL("SET statement_timeout = {}").format(sql.Literal(milliseconds))
