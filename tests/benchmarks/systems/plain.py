"""procrastinate with its own worker, on its own tables."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import procrastinate
import psycopg

from tests.benchmarks.environments import environment
from tests.benchmarks.systems import procrastinate_tables as tables
from tests.benchmarks.systems.base import NOOP, STAMP
from tests.benchmarks.systems.plain_jobs import build_app

_BEST = 100  # no other concurrency is better by more than a few percent


class Plain:
    """procrastinate as it comes, its log switched off."""

    name = "procrastinate"
    settings = {"concurrency": str(_BEST), "log level": "error"}  # noqa: RUF012
    table = "procrastinate_jobs"
    claimants = 1
    claim_pattern = r"fetch_job"
    has_locks = True
    guess = 700
    fill = staticmethod(tables.fill)
    fill_scheduled = staticmethod(tables.fill_scheduled)
    fill_finished = staticmethod(tables.fill_finished)
    unfinished = staticmethod(tables.unfinished)
    finished = staticmethod(tables.finished)

    def create(self, dsn: str) -> None:
        async def apply() -> None:
            app = build_app(dsn)
            async with app.open_async():
                await app.schema_manager.apply_schema_async()

        asyncio.run(apply())

    def worker(self, dsn: str, concurrency: int | None) -> tuple[Sequence[str], dict[str, str]]:
        module = "tests.benchmarks.systems.plain_worker"
        return [sys.executable, "-m", module, str(concurrency or _BEST)], environment(dsn)

    @asynccontextmanager
    async def client(self, dsn: str) -> AsyncIterator[_Client]:
        app = build_app(dsn)
        async with app.open_async():
            yield _Client(app)

    def churn(self, connection: psycopg.Connection[Any], jobs: int) -> bool:
        tables.churn(connection, jobs)
        return True


class _Client:
    def __init__(self, app: procrastinate.App) -> None:
        self._noop, self._stamp = app.tasks[NOOP], app.tasks[STAMP]

    async def enqueue(self) -> None:
        await self._noop.defer_async()

    async def enqueue_many(self, jobs: int) -> None:
        await self._noop.batch_defer_async(*[{}] * jobs)

    async def enqueue_stamp(self, number: int) -> None:
        await self._stamp.defer_async(number=number)
