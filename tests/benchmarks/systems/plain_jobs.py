"""The same jobs for procrastinate's own worker."""

from __future__ import annotations

import procrastinate

from tests.benchmarks.board import Board, board_of_this_process
from tests.benchmarks.systems.base import LOCK_KEY, LOCKED, NOOP, STAMP

_board: Board | None = None


def board() -> Board:
    """The board of this process, opened when the first job needs it."""
    global _board  # noqa: PLW0603  one a process
    if _board is None:
        _board = board_of_this_process()
    return _board


async def noop() -> None:
    """Count itself."""
    board().count()


async def stamp(number: int) -> None:
    """Say when it started."""
    board().stamp(number)


async def locked() -> None:
    """Count itself, apart from the free ones."""
    board().count(1)


def build_app(dsn: str) -> procrastinate.App:
    """An app with these jobs as tasks."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    app.task(noop, name=NOOP)
    app.task(stamp, name=STAMP)
    app.task(locked, name=LOCKED, lock=LOCK_KEY)
    return app
