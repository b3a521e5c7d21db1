"""What the jobs under test report: numbers in a file that all processes map into memory.

Every system's jobs use it in the same way, and it costs a job well below a microsecond: no
database, no pipe, no clock is asked for a count.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATH = "BENCHMARK_BOARD"  # environment variables of a worker process
SLOT = "BENCHMARK_SLOT"
SLOTS = 64  # worker processes that may count at once
KINDS = 2  # free jobs, and those that share a lock
STAMPS = 100_000  # jobs that may say when they started
_WORD = 8  # bytes


class Board:
    """Counters, one a worker process and kind, and the moments at which numbered jobs started."""

    def __init__(self, path: Path, slot: int = 0) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _size())
        self._words = memoryview(self._map).cast("q")
        self._slot = slot * KINDS

    @classmethod
    def create(cls, path: Path) -> Board:
        """A board of zeros in a new file."""
        path.write_bytes(bytes(_size()))
        return cls(path)

    def count(self, kind: int = 0) -> None:
        """One job more, done by this process."""
        self._words[self._slot + kind] += 1

    def stamp(self, number: int) -> None:
        """This numbered job starts now, in nanoseconds of the clock that all processes share."""
        self._words[SLOTS * KINDS + number] = time.monotonic_ns()

    def total(self, kind: int = 0) -> int:
        """How many jobs of this kind all processes have done."""
        return sum(self._words[kind : SLOTS * KINDS : KINDS])

    def started(self, number: int) -> int:
        """When this numbered job started, in nanoseconds; 0 if it has not."""
        return self._words[SLOTS * KINDS + number]

    def close(self) -> None:
        """Unmap the file."""
        self._words.release()
        self._map.close()


def board_of_this_process() -> Board:
    """The board that the benchmark has given to this worker process."""
    return Board(Path(os.environ[PATH]), int(os.environ.get(SLOT, "0")))


@contextmanager
def given_to_this_process(path: Path) -> Iterator[None]:
    """Let jobs that run in this very process report to this board."""
    os.environ[PATH] = str(path)
    try:
        yield
    finally:
        del os.environ[PATH]


def _size() -> int:
    return (SLOTS * KINDS + STAMPS) * _WORD
