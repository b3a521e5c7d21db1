"""Jobs of the soak. They keep an account of their own, which survives whatever happens to them."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta

from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry, RetryPolicy, every

registry = JobRegistry()
MINUTE = timedelta(minutes=1)
TICK_SECONDS = 2


class Work(BaseModel):
    seconds: float = 0.0


def record(what: str, job: str, run_id: str, lock_key: str | None, pid: int) -> None:
    """Append a line that no crash takes back: one write, then fsync."""
    line = f"{what} {job} {run_id} {lock_key or '-'} {pid} {time.monotonic():.6f}\n"
    descriptor = os.open(os.environ["SOAK_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def act(job: str, run_id: str, lock_key: str | None, seconds: float, *, fails: bool) -> None:
    """What every job of the soak does; the same under plain procrastinate."""
    pid = os.getpid()
    record("start", job, run_id, lock_key, pid)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        record("cancelled", job, run_id, lock_key, pid)
        raise
    record("failed" if fails else "end", job, run_id, lock_key, pid)
    if fails:
        raise ValueError("as it must")


async def _act(ctx: JobContext, seconds: float = 0.0, *, fails: bool = False) -> None:
    await act(ctx.job, ctx.run_id, ctx.lock_key, seconds, fails=fails)


@registry.job("quick", args=Work, timeout=MINUTE, restartable=True)
async def quick(ctx: JobContext, args: Work) -> None:
    await _act(ctx, args.seconds)


@registry.job("locked", args=Work, timeout=MINUTE, restartable=True)
async def locked(ctx: JobContext, args: Work) -> None:
    await _act(ctx, args.seconds)


@registry.job("long", args=Work, timeout=MINUTE, restartable=True)
async def long(ctx: JobContext, args: Work) -> None:
    await _act(ctx, args.seconds)


@registry.job("once", args=Work, timeout=MINUTE)
async def once(ctx: JobContext, args: Work) -> None:
    """Not restartable: a run that is cut off ends `lost` or `cancelled`, and that is its end."""
    await _act(ctx, args.seconds)


@registry.job(
    "flaky",
    args=Work,
    timeout=MINUTE,
    restartable=True,
    retry=RetryPolicy(9, wait=timedelta(seconds=0.1)),
)
async def flaky(ctx: JobContext, args: Work) -> None:
    await _act(ctx, args.seconds, fails=ctx.attempt == 1)


@registry.job("child", args=Work, timeout=MINUTE, restartable=True)
def child(ctx: JobContext, args: Work) -> None:
    pid = os.getppid()  # its life is that of the worker
    record("start", ctx.job, ctx.run_id, ctx.lock_key, pid)
    time.sleep(args.seconds)
    record("end", ctx.job, ctx.run_id, ctx.lock_key, pid)


@registry.job("beat", timeout=MINUTE, schedule=every(seconds=TICK_SECONDS), restartable=True)
async def beat(ctx: JobContext) -> None:
    assert ctx.due_at is not None
    await _act(ctx)
    record(f"tick:{ctx.due_at.timestamp():.0f}", ctx.job, ctx.run_id, None, os.getpid())
