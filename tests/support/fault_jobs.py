"""Jobs that misbehave, and jobs that are there when something else does."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry, RetryPolicy, every
from tests.support.jobs import note

registry = JobRegistry()
MINUTE = timedelta(minutes=1)


class Work(BaseModel):
    seconds: float = 0.0


@contextmanager
def noted(ctx: JobContext) -> Iterator[None]:
    """The job's own account of when it ran; a killed process leaves a start without an end."""
    note("start", ctx.lock_key or "-", ctx.run_id, os.getpid())
    try:
        yield
    finally:
        note("end", ctx.lock_key or "-", ctx.run_id, os.getpid())


@registry.job("noop", timeout=MINUTE)
async def noop(ctx: JobContext) -> None: ...


@registry.job("fails", timeout=MINUTE)
async def fails(ctx: JobContext) -> None:
    raise ValueError("as it must")


@registry.job("work", args=Work, timeout=MINUTE)
async def work(ctx: JobContext, args: Work) -> None:
    with noted(ctx):
        await asyncio.sleep(args.seconds)


@registry.job("work_again", args=Work, timeout=MINUTE, restartable=True)
async def work_again(ctx: JobContext, args: Work) -> None:
    with noted(ctx):
        await asyncio.sleep(args.seconds)


@registry.job("locked", args=Work, timeout=MINUTE, lock="shared")
async def locked(ctx: JobContext, args: Work) -> None:
    with noted(ctx):
        await asyncio.sleep(args.seconds)


@registry.job("locked_again", args=Work, timeout=MINUTE, lock="shared", restartable=True)
async def locked_again(ctx: JobContext, args: Work) -> None:
    with noted(ctx):
        await asyncio.sleep(args.seconds)


@registry.job("fails_twice", timeout=MINUTE, retry=RetryPolicy(3, wait=timedelta(0)))
async def fails_twice(ctx: JobContext) -> None:
    with noted(ctx):
        if ctx.attempt < 3:
            raise ValueError("not yet")


@registry.job("poison", timeout=MINUTE, restartable=True)
async def poison(ctx: JobContext) -> None:
    with noted(ctx):
        os.kill(os.getpid(), signal.SIGKILL)


@registry.job("exits_hard", timeout=MINUTE, restartable=True)
async def exits_hard(ctx: JobContext) -> None:
    note("start", "-", ctx.run_id, os.getpid())
    os._exit(3)


@registry.job("stubborn", timeout=timedelta(seconds=0.5), lock="shared")
async def stubborn(ctx: JobContext) -> None:
    """Says how long it really lives: until its process ends."""
    note("start", ctx.lock_key, ctx.run_id, os.getpid())
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)
        note("alive", ctx.lock_key, ctx.run_id, os.getpid())


@registry.job("cleans_up", timeout=timedelta(seconds=3), lock="shared")
async def cleans_up(ctx: JobContext) -> None:
    with noted(ctx):
        try:
            await asyncio.sleep(60)
        finally:
            note("cleaning", ctx.run_id)
            await asyncio.sleep(60)


@registry.job("plain_cleans_up", timeout=timedelta(seconds=3), lock="shared")
def plain_cleans_up(ctx: JobContext) -> None:
    signal.signal(signal.SIGTERM, lambda *_: note("cleaning", ctx.run_id))
    note("start", ctx.lock_key or "-", ctx.run_id, os.getpid())
    while True:
        time.sleep(60)


@registry.job("blocks_loop", args=Work, timeout=MINUTE, lock="blocking")
async def blocks_loop(ctx: JobContext, args: Work) -> None:
    with noted(ctx):
        time.sleep(args.seconds)  # noqa: ASYNC251  the fault itself


@registry.job("blocks_unlocked", args=Work, timeout=MINUTE)
async def blocks_unlocked(ctx: JobContext, args: Work) -> None:
    with noted(ctx):
        time.sleep(args.seconds)  # noqa: ASYNC251  the fault itself


@registry.job("blocks_for_ever", timeout=timedelta(seconds=1), lock="blocking")
async def blocks_for_ever(ctx: JobContext) -> None:
    with noted(ctx):
        time.sleep(600)  # noqa: ASYNC251  the fault itself


@registry.job("counts_objects", timeout=MINUTE)
async def counts_objects(ctx: JobContext) -> None:
    """What the garbage collector leaves alone, and what it looks through."""
    note("objects", gc.get_freeze_count(), len(gc.get_objects()), gc.get_threshold()[0])


@registry.job("hangs_in_c", timeout=MINUTE, lock="blocking")
async def hangs_in_c(ctx: JobContext) -> None:
    """Waits for a lock that it holds itself, where no Python signal handler is ever called."""
    with noted(ctx):
        lock, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
        library.pthread_mutex_lock(lock)
        library.pthread_mutex_lock(lock)


@registry.job("holds_gil", timeout=MINUTE, lock="blocking")
async def holds_gil(ctx: JobContext) -> None:
    with noted(ctx):
        re.match(r"(a+)+$", "a" * 26 + "b")


@registry.job("plain_for_ever", timeout=MINUTE)
def plain_for_ever(ctx: JobContext) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("start", "-", ctx.run_id, os.getpid())
    while True:
        time.sleep(60)


@registry.job("plain_starts_another", timeout=MINUTE, lock="shared")
def plain_starts_another(ctx: JobContext) -> None:
    other = subprocess.Popen(["sleep", "60"], stderr=subprocess.DEVNULL)
    note("other", other.pid)
    note("start", ctx.lock_key or "-", ctx.run_id, os.getpid())
    other.wait()


@registry.job("plain_until_told", timeout=MINUTE)
def plain_until_told(ctx: JobContext) -> None:
    """Ends when the test has written a line that says so."""
    with noted(ctx):
        while "\ngo on\n" not in Path(os.environ["TEST_NOTES"]).read_text():
            time.sleep(0.05)


class Array:
    """Like a numpy array of two elements: asking for its truth, or for its text, raises."""

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even its text raises")


@registry.job("returns_array", timeout=MINUTE)
async def returns_array(ctx: JobContext) -> Array:
    return Array()


@registry.job("plain_returns_array", timeout=MINUTE)
def plain_returns_array(ctx: JobContext) -> Array:
    return Array()


class Raise(BaseModel):
    what: str


def recurse() -> None:
    recurse()


def raise_it(what: str) -> None:
    errors: dict[str, BaseException] = {
        "SystemExit": SystemExit(3),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "GeneratorExit": GeneratorExit(),
        "MemoryError": MemoryError(),
        "StopIteration": StopIteration(),
        "StopAsyncIteration": StopAsyncIteration(),
        "UnspeakableError": UnspeakableError(),
        "Huge": ValueError("x" * 20_000_000),
        "NotText": ValueError("nul \0 and surrogate \udc80"),
    }
    if what == "RecursionError":
        recurse()
    raise errors[what]


RAISED = (
    "SystemExit",
    "KeyboardInterrupt",
    "GeneratorExit",
    "MemoryError",
    "StopIteration",
    "StopAsyncIteration",
    "UnspeakableError",
    "Huge",
    "NotText",
    "RecursionError",
)


@registry.job("raises", args=Raise, timeout=MINUTE)
async def raises(ctx: JobContext, args: Raise) -> None:
    raise_it(args.what)


@registry.job("plain_raises", args=Raise, timeout=MINUTE)
def plain_raises(ctx: JobContext, args: Raise) -> None:
    raise_it(args.what)


@registry.job("plain_crash", timeout=MINUTE)
def plain_crash(ctx: JobContext) -> None:
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGSEGV)


# The registry of the next version: a job more.
next_version = JobRegistry(registry)


@next_version.job("brand_new", timeout=MINUTE)
async def brand_new(ctx: JobContext) -> None:
    with noted(ctx):
        await asyncio.sleep(0.01)


with_ticks = JobRegistry(registry)


@with_ticks.job("beat", timeout=MINUTE, schedule=every(seconds=1))
async def beat(ctx: JobContext) -> None:
    assert ctx.due_at is not None
    note("tick", ctx.due_at.isoformat())


with_long_ticks = JobRegistry(registry)


@with_long_ticks.job("long_beat", timeout=MINUTE, schedule=every(seconds=1))
async def long_beat(ctx: JobContext) -> None:
    with noted(ctx):
        await asyncio.sleep(2.5)
