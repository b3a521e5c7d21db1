"""The same jobs under plain procrastinate, with its own worker and its documented rescue recipe."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import procrastinate
from procrastinate.job_context import JobContext

from tests.support.soak_jobs import TICK_SECONDS, act, record

RESCUE_AFTER = 30  # seconds of silence: procrastinate's default for a stalled worker


def build() -> procrastinate.App:
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"])
    )
    for name in ("quick", "locked", "long", "once"):
        app.task(name=name, pass_context=True)(_plain)
    retry = procrastinate.RetryStrategy(max_attempts=9)
    app.task(name="flaky", pass_context=True, retry=retry)(_flaky)
    app.task(name="child", pass_context=True)(_sync)
    ticking = app.task(name="beat", pass_context=True, queueing_lock="beat", lock="beat")(_beat)
    app.periodic(cron=f"* * * * * */{TICK_SECONDS}")(ticking)
    return app


def _facts(context: JobContext) -> tuple[str, str, str | None]:
    job = context.job
    return job.task_name, f"{job.id}.{job.attempts + 1}", job.lock


async def _plain(context: JobContext, seconds: float = 0.0) -> None:
    await act(*_facts(context), seconds, fails=False)


async def _flaky(context: JobContext, seconds: float = 0.0) -> None:
    await act(*_facts(context), seconds, fails=context.job.attempts == 0)


def _sync(context: JobContext, seconds: float = 0.0) -> None:
    record("start", *_facts(context), os.getpid())
    time.sleep(seconds)
    record("end", *_facts(context), os.getpid())


async def _beat(context: JobContext, timestamp: int) -> None:
    await act(*_facts(context), 0.0, fails=False)
    record(f"tick:{timestamp}", *_facts(context), os.getpid())


async def work() -> None:
    async with build().open_async() as app:
        await app.run_worker_async(
            concurrency=8, fetch_job_polling_interval=2, shutdown_graceful_timeout=5
        )


async def create() -> None:
    async with build().open_async() as app:
        await app.schema_manager.apply_schema_async()


async def rescue() -> int:
    """The documented recipe: retry what a silent worker has left."""
    async with build().open_async() as app:
        manager = app.job_manager
        stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=RESCUE_AFTER))
        rescued = 0
        for job in stalled:
            try:
                await manager.retry_job(job)
                rescued += 1
            except procrastinate.exceptions.ProcrastinateException:
                continue  # a job with its queueing lock waits: the recipe knows no better
        return rescued


if __name__ == "__main__":
    asyncio.run({"work": work, "create": create}[sys.argv[1]]())
