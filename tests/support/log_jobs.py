"""Jobs that talk: to our log, to standard `logging`, to their output, and in what they raise."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta

from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry

registry = JobRegistry()
TEN = timedelta(seconds=10)
SECRET = "hunter2-Tr0ub4dor"


class Order(BaseModel):
    number: int = 7
    card: str = "4111-1111"


def talk(ctx: JobContext) -> None:
    ctx.log.info("orders.counted", orders=3, api_key=SECRET)
    logging.getLogger("library").warning("connecting to %s", f"postgresql://me:{SECRET}@host/app")
    print("printed to stdout")  # noqa: T201  what a job should not do
    print("printed", "to stderr", file=sys.stderr)  # noqa: T201
    sys.stdout.write("not ended")


@registry.job("talks", args=Order, timeout=TEN, log_fields=("number",))
async def talks(ctx: JobContext, args: Order) -> None:
    talk(ctx)


@registry.job("plain_talks", args=Order, timeout=TEN, log_fields=("number",))
def plain_talks(ctx: JobContext, args: Order) -> None:
    talk(ctx)


@registry.job("silent_about_it", args=Order, timeout=TEN)
async def silent_about_it(ctx: JobContext, args: Order) -> None: ...


class Wild(Exception):  # noqa: N818  what it is called matters here
    pass


def fail() -> None:
    noise = "\x1b[31m\r\n\0\x9b2J\u202e🐘\ud800"
    raise Wild(f"{noise} postgresql://me:{SECRET}@host/app {SECRET} " + "x" * 10_000_000)


Wild.__name__ = 'Wi\nld"{}\x1b[0m🐘'


@registry.job("fails", timeout=TEN)
async def fails(ctx: JobContext) -> None:
    fail()


@registry.job("plain_fails", timeout=TEN)
def plain_fails(ctx: JobContext) -> None:
    fail()
