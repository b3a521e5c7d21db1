"""Worker processes under test: started, held at a gate until all are connected, stopped."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Self

import psycopg
from psycopg import sql

from tests.benchmarks import board as boards
from tests.benchmarks.board import Board
from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.systems.base import System
from tests.support.processes import REPOSITORY

_PROFILED = """
import cProfile
profiler = cProfile.Profile()
try:
    profiler.runctx({code!r}, {{}}, {{}})
finally:
    profiler.dump_stats({path!r})
"""
_READY = 120.0  # seconds for all workers to reach the gate
_STOP = 15.0  # seconds for a worker to end after SIGTERM


class MeasurementError(Exception):
    """A measurement went wrong: a worker ended, or the tables do not say what they must."""


class Fleet:
    """Worker processes of one system on one database."""

    def __init__(
        self,
        system: System,
        dsn: str,
        *,
        workers: int = 1,
        concurrency: int | None = None,
        extra: dict[str, str] | None = None,
        profile: Path | None = None,
    ) -> None:
        self._system = system
        self._dsn = dsn
        self._workers = workers
        self._concurrency = concurrency
        self._extra = extra or {}
        self._profile = profile
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
            path = folder / "board"
            self.board = Board.create(path)
            stack.callback(self.board.close)
            self._output = stack.enter_context((folder / "output").open("w+b"))
            self.connection = stack.enter_context(psycopg.connect(self._dsn, autocommit=True))
            self.connection.execute("SET jit = off")
            self._path = path
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stop()
        finally:
            self._stack.close()

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Start the workers; the block begins when all are connected and about to claim.

        They are held by a lock on the table that they claim from, which the end of this
        transaction releases: all begin at one moment, with everything loaded.
        """
        with psycopg.connect(self._dsn) as gate:
            table = sql.Identifier(self._system.table)
            gate.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(table))
            self.start()
            self._wait_at_gate()
            gate.commit()
        yield

    def start(self) -> None:
        """Start the workers without a gate."""
        for slot in range(self._workers):
            command, env = self._system.worker(self._dsn, self._concurrency)
            env = {**env, boards.PATH: str(self._path), boards.SLOT: str(slot % boards.SLOTS)}
            self._processes.append(
                subprocess.Popen(
                    self._profiled(list(command)),
                    env={**env, **self._extra},
                    cwd=REPOSITORY,
                    stdin=subprocess.DEVNULL,
                    stdout=self._output,
                    stderr=subprocess.STDOUT,
                )
            )

    def _profiled(self, command: list[str]) -> list[str]:
        """The same command under the profiler, if a profile is wanted."""
        if self._profile is None:
            return command
        python, *arguments = command
        code = arguments[1] if arguments[0] == "-c" else None
        if code is None:
            raise MeasurementError(f"{self._system.name} can't be profiled: it isn't `python -c`")
        profiled = _PROFILED.format(code=code, path=str(self._profile))
        return [python, "-c", profiled, *arguments[2:]]

    @property
    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [process.pid for process in self._processes]

    def cpu(self) -> dict[int, float]:
        """CPU seconds of each worker so far."""
        return cpu_seconds(self.pids)

    def wait(self, fact: Callable[[], bool], until: float, pause: float = 0.005) -> bool:
        """Wait until the fact holds or the monotonic clock says `until`; whether it holds.

        Raises:
            MeasurementError: a worker has ended.
        """
        while not fact():
            self.require_alive()
            if time.monotonic() >= until:
                return False
            time.sleep(pause)
        return True

    def require_alive(self) -> None:
        """Raise MeasurementError if a worker has ended by itself, with what it wrote."""
        for process in self._processes:
            if process.poll() is not None:
                raise MeasurementError(
                    f"A worker of {self._system.name} ended with {process.returncode}:\n"
                    f"{_end_of(self._output)}"
                )

    def is_done(self) -> bool:
        """Whether the tables know of nothing that is due and not finished."""
        return not self._system.unfinished(self.connection)

    def _wait_at_gate(self) -> None:
        wanted = self._workers * self._system.claimants
        if not self.wait(lambda: self._waiting() >= wanted, time.monotonic() + _READY, 0.01):
            raise MeasurementError(
                f"{self._waiting()} of {wanted} connections of {self._system.name} came to claim "
                f"within {_READY:g} s:\n{_end_of(self._output)}"
            )

    def _waiting(self) -> int:
        row = self.connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass",
            [self._system.table],
        ).fetchone()
        return int(row[0]) if row else 0

    def _stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + _STOP
        for process in self._processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _end_of(output: IO[Any]) -> str:
    output.seek(0)
    return str(output.read()[-2000:].decode(errors="replace"))
