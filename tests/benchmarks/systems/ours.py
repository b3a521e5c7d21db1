"""queue_worker: its real worker process, ledger and fence included, and its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from queue_worker import EnqueueRequest, QueueClient, load_settings
from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.benchmarks.environments import environment
from tests.benchmarks.systems import procrastinate_tables as tables
from tests.benchmarks.systems.base import NOOP
from tests.benchmarks.systems.ours_jobs import Numbered, noop, registry, stamp
from tests.support.processes import command


class Ours:
    """Everything that a user gets is switched on."""

    name = "ours"
    table = "procrastinate_jobs"
    claimants = 1
    claim_pattern = r"skip locked"
    has_locks = True
    guess = 6_000
    fill = staticmethod(tables.fill)
    fill_scheduled = staticmethod(tables.fill_scheduled)
    unfinished = staticmethod(tables.unfinished)

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.settings = {"concurrency": str(concurrency), "log level": "warning"}

    def create(self, dsn: str) -> None:
        with connect(dsn, name="benchmark") as connection:
            migrate(connection)

    def worker(self, dsn: str, concurrency: int | None) -> tuple[Sequence[str], dict[str, str]]:
        env = environment(
            dsn,
            QUEUE_WORKER_APP="tests.benchmarks.systems.ours_jobs:registry",
            QUEUE_WORKER_LOG_LEVEL="warning",
            QUEUE_WORKER_CONCURRENCY=str(concurrency or self.concurrency),
        )
        return command("worker"), env

    @asynccontextmanager
    async def client(self, dsn: str) -> AsyncIterator[_Client]:
        async with QueueClient(registry, load_settings(database_url=dsn)) as queue:
            yield _Client(queue)

    def fill_finished(self, connection: psycopg.Connection[Any], jobs: int) -> None:
        tables.fill_finished(connection, jobs)
        connection.execute(
            "INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, worker_id,"
            " enqueued_at, enqueued_by, started_at, finished_at)"
            " SELECT id, 1, task_name, 'succeeded', queue_name, 1, now(), 'benchmark', now(), now()"
            " FROM procrastinate_jobs WHERE status = 'succeeded'"
        )

    def churn(self, _: psycopg.Connection[Any], __: int) -> bool:
        return False

    def finished(self, connection: psycopg.Connection[Any]) -> dict[str, int]:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE outcome = 'succeeded'), count(*) FROM queue_worker.run"
        ).fetchone()
        succeeded, runs = row or (0, 0)
        ledger = {"ledger: succeeded": succeeded, "ledger: all": runs}
        return {**tables.finished(connection), **ledger}


class _Client:
    def __init__(self, queue: QueueClient) -> None:
        self._queue = queue

    async def enqueue(self) -> None:
        await self._queue.enqueue(noop)

    async def enqueue_many(self, jobs: int) -> None:
        await self._queue.enqueue_many([EnqueueRequest(job=NOOP)] * jobs)

    async def enqueue_stamp(self, number: int) -> None:
        await self._queue.enqueue(stamp, Numbered(number=number))
