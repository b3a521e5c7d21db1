"""The jobs that our worker carries out while it is measured."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry
from tests.benchmarks.board import Board, board_of_this_process
from tests.benchmarks.systems.base import LOCK_KEY, LOCKED, NOOP, STAMP

registry = JobRegistry()
_MINUTE = timedelta(minutes=1)
_board: Board | None = None


class Numbered(BaseModel):
    number: int


def board() -> Board:
    """The board of this process, opened when the first job needs it."""
    global _board  # noqa: PLW0603  one a process
    if _board is None:
        _board = board_of_this_process()
    return _board


@registry.job(NOOP, timeout=_MINUTE)
async def noop(_: JobContext) -> None:
    """Count itself."""
    board().count()


@registry.job(STAMP, args=Numbered, timeout=_MINUTE)
async def stamp(_: JobContext, args: Numbered) -> None:
    """Say when it started."""
    board().stamp(args.number)


@registry.job(LOCKED, timeout=_MINUTE, lock=LOCK_KEY)
async def locked(_: JobContext) -> None:
    """Count itself, apart from the free ones."""
    board().count(1)
