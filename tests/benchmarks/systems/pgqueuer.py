"""pgqueuer at its best settings, with either of its drivers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from pgqueuer.queries import Queries

from tests.benchmarks.environments import environment
from tests.benchmarks.systems.base import NOOP, STAMP
from tests.benchmarks.systems.pgqueuer_driver import close_driver, open_driver

_CHUNK = 20_000  # rows a statement


class Pgqueuer:
    """One process, so many consumers in it, so many jobs a claim; uvloop."""

    table = "pgqueuer"
    claim_pattern = r"skip locked"
    has_locks = False
    guess = 12_000

    def __init__(self, driver: str, consumers: int, batch: int) -> None:
        self.name = f"pgqueuer-{driver}"
        self._driver = driver
        self._batch = batch
        self.claimants = consumers
        self.settings = {"consumers": str(consumers), "batch": str(batch), "loop": "uvloop"}

    def create(self, dsn: str) -> None:
        async def install() -> None:
            driver = await open_driver(self._driver, dsn)
            await Queries(driver).install()
            await close_driver(driver)

        asyncio.run(install())

    def worker(self, dsn: str, concurrency: int | None) -> tuple[Sequence[str], dict[str, str]]:
        module = "tests.benchmarks.systems.pgqueuer_worker"
        sizes = [str(self.claimants), str(concurrency or self._batch)]
        return [sys.executable, "-m", module, self._driver, *sizes], environment(dsn)

    @asynccontextmanager
    async def client(self, dsn: str) -> AsyncIterator[_Client]:
        driver = await open_driver(self._driver, dsn)
        try:
            yield _Client(Queries(driver))
        finally:
            await close_driver(driver)

    def fill(self, connection: psycopg.Connection[Any], jobs: int, kind: str = NOOP) -> None:
        _insert(connection, jobs, kind, "0", "now()")

    def fill_scheduled(self, connection: psycopg.Connection[Any], jobs: int) -> None:
        _insert(connection, jobs, NOOP, "10", "now() + interval '1 day'")

    def fill_finished(self, connection: psycopg.Connection[Any], jobs: int) -> None:
        connection.execute(
            "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, aggregated)"
            " SELECT -id, status, 0, %s, true FROM generate_series(1, %s) AS id,"
            " unnest('{queued,picked,successful}'::pgqueuer_status[]) AS status",
            [NOOP, jobs],
        )

    def churn(self, _: psycopg.Connection[Any], __: int) -> bool:
        return False

    def unfinished(self, connection: psycopg.Connection[Any]) -> bool:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM pgqueuer WHERE execute_after <= now())"
        ).fetchone()
        return bool(row and row[0])

    def finished(self, connection: psycopg.Connection[Any]) -> dict[str, int]:
        row = connection.execute(
            "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful' AND job_id > 0"
        ).fetchone()
        return {"log: successful": row[0] if row else 0}


def _insert(
    connection: psycopg.Connection[Any], jobs: int, entrypoint: str, priority: str, due: str
) -> None:
    """What its own enqueue writes: the job, and `queued` in the log."""
    for begin in range(0, jobs, _CHUNK):
        connection.execute(
            "WITH inserted AS (INSERT INTO pgqueuer"
            " (priority, entrypoint, execute_after, status)"
            f" SELECT {priority}, %s, {due}, 'queued' FROM generate_series(1, %s)"
            " RETURNING id, status, priority, entrypoint)"
            " INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint)"
            " SELECT id, status, priority, entrypoint FROM inserted",
            [entrypoint, min(_CHUNK, jobs - begin)],
        )


class _Client:
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def enqueue(self) -> None:
        await self._queries.enqueue(NOOP, None)

    async def enqueue_many(self, jobs: int) -> None:
        await self._queries.enqueue([NOOP] * jobs, [None] * jobs, [0] * jobs)

    async def enqueue_stamp(self, number: int) -> None:
        await self._queries.enqueue(STAMP, str(number).encode())
