"""Jobs for tests that need real processes: they say what they do in a file of their own."""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry, RetryPolicy, every
from queue_worker.schemas import renamed

registry = JobRegistry()
TEN = timedelta(seconds=10)
GATE = 4711  # an advisory lock


def note(*words: object) -> None:
    """Append a line to the file that the test reads; one write, so that lines stay whole."""
    line = " ".join(map(str, (*words, f"{time.time():.6f}"))) + "\n"
    with Path(os.environ["TEST_NOTES"]).open("ab", buffering=0) as notes:
        notes.write(line.encode())


class Nap(BaseModel):
    seconds: float = 0.0
    name: str = "nap"


@registry.job("noop", timeout=TEN)
async def noop(ctx: JobContext) -> None: ...


@registry.job("nap", args=Nap, timeout=TEN)
async def nap(ctx: JobContext, args: Nap) -> None:
    note("start", args.name, ctx.run_id)
    await asyncio.sleep(args.seconds)
    note("end", args.name, ctx.run_id)


@registry.job("locked", args=Nap, timeout=TEN, lock="the-lock")
async def locked(ctx: JobContext, args: Nap) -> None:
    note("start", "locked", ctx.run_id)
    await asyncio.sleep(args.seconds)
    note("end", "locked", ctx.run_id)


@registry.job("boom", timeout=TEN)
async def boom(ctx: JobContext) -> None:
    raise ValueError("it went boom")


@registry.job("boom_again", timeout=TEN, retry=RetryPolicy(3, wait=timedelta(0)))
async def boom_again(ctx: JobContext) -> None:
    note("attempt", ctx.attempt)
    raise ValueError("again")


@registry.job("slow", timeout=timedelta(seconds=0.3))
async def slow(ctx: JobContext) -> None:
    await asyncio.sleep(60)


@registry.job("own_timeout", timeout=TEN)
async def own_timeout(ctx: JobContext) -> None:
    raise TimeoutError("my own")


@registry.job("swallows", timeout=timedelta(seconds=0.3))
async def swallows(ctx: JobContext) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return


@registry.job("cancels_itself", timeout=TEN)
async def cancels_itself(ctx: JobContext) -> None:
    raise asyncio.CancelledError


@registry.job("exits", timeout=TEN)
async def exits(ctx: JobContext) -> None:
    sys.exit(3)


@registry.job("plain", args=Nap, timeout=TEN)
def plain(ctx: JobContext, args: Nap) -> None:
    note("plain", args.name, os.getpid(), os.getppid())
    time.sleep(args.seconds)


@registry.job("plain_boom", timeout=TEN)
def plain_boom(ctx: JobContext) -> None:
    raise KeyError("in the child")


@registry.job("plain_slow", timeout=timedelta(seconds=5))
def plain_slow(ctx: JobContext) -> None:
    grandchild = subprocess.Popen(["sleep", "60"])
    note("pids", os.getpid(), grandchild.pid)
    time.sleep(60)


@registry.job("plain_exit", timeout=TEN)
def plain_exit(ctx: JobContext) -> None:
    sys.exit(4)


@registry.job("plain_crash", timeout=TEN)
def plain_crash(ctx: JobContext) -> None:
    ctypes.string_at(0)


@registry.job("plain_sql", timeout=TEN)
def plain_sql(ctx: JobContext) -> None:
    with ctx.sync_connection() as connection:
        row = connection.execute(
            "SELECT current_setting('application_name'), current_setting('statement_timeout')"
        ).fetchone()
        assert row is not None
        note("sql", *row)


@registry.job("async_sql", timeout=TEN)
async def async_sql(ctx: JobContext) -> None:
    async with ctx.connection() as connection:
        cursor = await connection.execute(
            "SELECT current_setting('application_name'), current_setting('statement_timeout')"
        )
        note("sql", *(await cursor.fetchone() or ()))


@registry.job("forgets_await", timeout=TEN)
def forgets_await(ctx: JobContext) -> object:
    return asyncio.sleep(0)


@registry.job("hungry", timeout=TEN, max_memory_mb=400)
def hungry(ctx: JobContext) -> None:
    bytearray(1024 * 1024 * 1024)


@registry.job("blocks", timeout=TEN)
async def blocks(ctx: JobContext) -> None:
    time.sleep(4)  # noqa: ASYNC251  what no job on the loop should do


@registry.job("restartable", args=Nap, timeout=TEN, restartable=True)
async def restartable(ctx: JobContext, args: Nap) -> None:
    note("start", "restartable", ctx.run_id)
    await asyncio.sleep(args.seconds)
    note("end", "restartable", ctx.run_id)


@registry.job("waits_in_sql", args=Nap, timeout=timedelta(minutes=2), lock="waits_in_sql")
async def waits_in_sql(ctx: JobContext, args: Nap) -> None:
    """Until the test lets go of the lock that it holds."""
    async with ctx.connection() as connection:
        note("start", args.name, ctx.run_id)
        await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (GATE,))


@registry.job("fenced", timeout=TEN, lock="fenced")
async def fenced(ctx: JobContext) -> None:
    async with ctx.connection() as connection:
        await connection.execute(renamed("SELECT queue_worker.assert_fence(%s, %s)"), ctx.fence)
        note("fenced", *ctx.fence)


@registry.job("ticker", timeout=TEN, schedule=every(seconds=1))
async def ticker(ctx: JobContext) -> None:
    assert ctx.due_at is not None
    note("tick", ctx.due_at.isoformat())


without_ticker = JobRegistry(job for job in registry if job.name != "ticker")
