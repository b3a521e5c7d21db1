"""Try again until the database is back: ever more slowly, and never all workers at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import structlog

from queue_worker.errors import DatabaseUnreachable

T = TypeVar("T")
log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

FIRST_WAIT = 0.1  # seconds
LONGEST_WAIT = 5.0

# What passes by itself: an outage, a full disk, too many connections, a lock held for too long, a
# twin with the same queueing lock that came in between.
PASSING = (DatabaseUnreachable, psycopg.OperationalError, psycopg.errors.UniqueViolation)

# Somebody holds a lock for too long: only what needs that lock has to wait.
BLOCKED = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.UniqueViolation,
)


class Backoff:
    """How long to wait before something that has failed is tried again.

    Args:
        what: what is being tried, for the log.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._wait = FIRST_WAIT

    async def wait(self, error: Exception) -> None:
        """It has failed: wait, each time for longer."""
        log.warning(
            "database.unavailable",
            doing=self._what,
            error=str(error).strip(),
            retry_in_s=self._wait,
        )
        await asyncio.sleep(self._wait * random.uniform(0.5, 1.0))
        self._wait = min(self._wait * 2, LONGEST_WAIT)

    def succeeded(self) -> None:
        """It works: the next failure is a new one."""
        if self._wait > FIRST_WAIT:
            log.info("database.available", doing=self._what)
        self._wait = FIRST_WAIT


async def persist(
    what: str,
    operation: Callable[[], Awaitable[T]],
    *,
    but_not: tuple[type[psycopg.Error], ...] = (),
) -> T:
    """The result of `operation`, tried again for as long as the database is unavailable.

    Args:
        what: what is being tried, for the log.
        operation: safe to be tried again after it failed half-way.
        but_not: errors that are raised at once.
    """
    backoff = Backoff(what)
    while True:
        try:
            result = await operation()
        except but_not:
            raise
        except PASSING as error:
            await backoff.wait(error)
        else:
            backoff.succeeded()
            return result
