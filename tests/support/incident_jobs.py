"""The jobs of docs/INCIDENTS.md. What they need is there once the file TEST_UPSTREAM is."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry, cron

registry = JobRegistry()
HOUR = timedelta(hours=1)


class Import(BaseModel):
    stuck: bool = False


def is_up() -> bool:
    return Path(os.environ["TEST_UPSTREAM"]).exists()


async def wait_until_up() -> None:
    while not is_up():  # noqa: ASYNC110  another process makes it so
        await asyncio.sleep(0.05)


@registry.job("reports", timeout=HOUR)
async def reports(ctx: JobContext) -> None:
    if not is_up():
        raise ConnectionError("the shop does not answer")


@registry.job("nightly", timeout=HOUR, schedule=cron("0 3 * * *"))
async def nightly(ctx: JobContext) -> None: ...


@registry.job("imports", args=Import, timeout=HOUR, lock="warehouse")
async def imports(ctx: JobContext, args: Import) -> None:
    if args.stuck:
        async with ctx.connection() as connection:
            await connection.execute("SELECT 'in the middle of it'")
            await wait_until_up()


@registry.job("exports", timeout=HOUR)
async def exports(ctx: JobContext) -> None:
    await wait_until_up()


@registry.job("mails", timeout=HOUR)
async def mails(ctx: JobContext) -> None: ...


async def read_feed(ctx: JobContext) -> None:
    if not is_up():
        raise ConnectionError("the feeds do not answer")


for number in range(1, 13):
    registry.job(f"feeds.{number}", timeout=HOUR, queue="feeds")(read_feed)


async def send_mails(ctx: JobContext) -> None:
    raise TypeError("send() takes 2 arguments")


# What a bad deploy brings: one job is gone, another is broken.
deployed = JobRegistry(job for job in registry if job.name not in {"reports", "mails"})
deployed.job("mails", timeout=HOUR)(send_mails)
