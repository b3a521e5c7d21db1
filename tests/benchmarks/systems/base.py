"""What a benchmark needs to know of a system, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import psycopg

NOOP = "noop"  # counts itself
STAMP = "stamp"  # says when it started
LOCKED = "locked"  # counts itself, apart from the others; shares one lock with its like
LOCK_KEY = "one lock"


class Client(Protocol):
    """Enqueues as a user of the system would, over one connection or pool."""

    async def enqueue(self) -> None:
        """Enqueue one no-op job."""

    async def enqueue_many(self, jobs: int) -> None:
        """Enqueue so many no-op jobs as one batch."""

    async def enqueue_stamp(self, number: int) -> None:
        """Enqueue one job that says when it started."""


class System(Protocol):
    """One way to have jobs done.

    Attributes:
        name: how it is called in results.
        settings: what it runs with, for the reader of the results.
        table: the table that every claim has to write to.
        claimants: how many connections of one worker process claim.
        claim_pattern: a regular expression that finds its claims among statements.
        has_locks: whether jobs can share a lock.
        guess: jobs that one worker does in a second, roughly.
    """

    name: str
    settings: dict[str, str]
    table: str
    claimants: int
    claim_pattern: str
    has_locks: bool
    guess: int

    def create(self, dsn: str) -> None:
        """Make its tables in an empty database."""

    def worker(self, dsn: str, concurrency: int | None) -> tuple[Sequence[str], dict[str, str]]:
        """The command and environment of a worker process; None is its best concurrency."""

    def client(self, dsn: str) -> AbstractAsyncContextManager[Client]:
        """What enqueues into this database."""

    def fill(self, connection: psycopg.Connection[Any], jobs: int, kind: str = NOOP) -> None:
        """Put so many waiting jobs into the tables, quickly."""

    def fill_finished(self, connection: psycopg.Connection[Any], jobs: int) -> None:
        """Put in what so many finished jobs leave behind."""

    def fill_scheduled(self, connection: psycopg.Connection[Any], jobs: int) -> None:
        """Put in jobs that are due tomorrow and would go first by their priority."""

    def churn(self, connection: psycopg.Connection[Any], jobs: int) -> bool:
        """Do so many jobs in SQL alone; False to have a worker do them."""

    def unfinished(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether a job that is due is not recorded as finished."""

    def finished(self, connection: psycopg.Connection[Any]) -> dict[str, int]:
        """How many jobs each of its tables says have succeeded; all must agree."""
