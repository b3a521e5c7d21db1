"""Where a worker's time goes: a real worker under the profiler, its seconds by part of the code."""

from __future__ import annotations

import pstats
import tempfile
import time
from pathlib import Path

import psycopg

from tests.benchmarks.fleet import Fleet, MeasurementError
from tests.benchmarks.measuring import Measuring
from tests.benchmarks.systems.base import System

# The first that a file's path contains says which part a function belongs to.
_PARTS = (
    ("queue_worker/execution/", "runner"),
    ("queue_worker/observability/", "observer"),
    ("queue_worker/queue/", "queue"),
    ("queue_worker/worker/", "worker loops"),
    ("queue_worker/", "rest of queue_worker"),
    ("tests/benchmarks/", "the job itself"),
    ("procrastinate/", "procrastinate"),
    ("prometheus_client/", "prometheus_client"),
    ("structlog/", "structlog"),
    ("pydantic", "pydantic"),
    ("psycopg", "psycopg"),
    ("asyncio", "asyncio"),
    ("selectors.py", "asyncio"),
    ("contextlib.py", "standard library"),
)
_IDLE = ("select.epoll", "select.select", "method 'poll'", "_thread.lock", "time.sleep")


def profile(measuring: Measuring, system: System, jobs: int) -> dict[str, float]:
    """The share of each part in the time that a worker is busy with these jobs, in percent."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        path = Path(folder) / "profile"
        _drain(measuring, system, jobs, path)
        if not path.exists():
            raise MeasurementError(f"The profiler has written nothing about {system.name}")
        return _shares(pstats.Stats(str(path)))


def _drain(measuring: Measuring, system: System, jobs: int, path: Path) -> None:
    with measuring.database(system) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            system.fill(connection, jobs)
            connection.execute("VACUUM ANALYZE")
        with Fleet(system, dsn, profile=path) as fleet, fleet.gate():
            until = time.monotonic() + max(60.0, measuring.plan.limit)
            if not fleet.wait(lambda: fleet.board.total() >= jobs, until):
                raise MeasurementError(f"{system.name} is too slow under the profiler")
            fleet.wait(fleet.is_done, until)


def _shares(stats: pstats.Stats) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for (path, _, function), (_, _, own, *_) in stats.stats.items():  # type: ignore[attr-defined]
        if not any(idle in function for idle in _IDLE):
            part = _part(path, function)
            seconds[part] = seconds.get(part, 0.0) + own
    total = sum(seconds.values())
    return {part: own / total * 100 for part, own in sorted(seconds.items(), key=lambda i: -i[1])}


def _part(path: str, function: str) -> str:
    if path == "~":
        path = function  # a built-in; its name may say where it is from
    return next((part for piece, part in _PARTS if piece in path), "standard library")
