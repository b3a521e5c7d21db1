"""How soon a job starts: its start minus the return of its enqueue, on one clock."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from statistics import quantiles

from tests.benchmarks.drain import calibrate
from tests.benchmarks.environments import environment
from tests.benchmarks.fleet import Fleet, MeasurementError
from tests.benchmarks.loops import run_client
from tests.benchmarks.measuring import Measuring
from tests.benchmarks.plan import Plan
from tests.benchmarks.systems.base import System
from tests.support.processes import REPOSITORY

_PACE = (0.005, 0.030)  # seconds between two jobs
_WARM_UP = 5  # jobs whose time does not count: they open connections and load code
_READY = 30.0  # seconds for the stream to begin
_SETTLE = 0.5  # seconds that a stream of other jobs runs before the first pickup
_LOAD = 0.5  # of the drain rate
_PERCENTILES = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99}


class NotKeptUpError(Exception):
    """The worker fell so far behind the stream that nothing can be said of its pickups."""


def measure_pickup(measuring: Measuring) -> None:
    """Every system in turns: its worker idle, then half as busy as it can be."""
    for system in measuring.systems:
        calibrate(measuring, system)
    for number, system in measuring.turns():
        measuring.add("pickup", "idle", system, number, **_measure(measuring, system, None))
        try:
            figures = _measure(measuring, system, measuring.rates[system.name] * _LOAD)
        except NotKeptUpError as error:
            measuring.note(f"pickup under half load, round {number + 1}: {error}")
        else:
            measuring.add("pickup", "half load", system, number, **figures)


def _measure(measuring: Measuring, system: System, load: float | None) -> dict[str, float]:
    """The percentiles of one round, in ms; under load also the jobs a second that were done."""
    with measuring.database(system) as dsn, Fleet(system, dsn) as fleet:
        with fleet.gate():
            pass
        with _stream(system, dsn, load) if load else nullcontext():
            if load:
                fleet.wait(lambda: fleet.board.total() > 0, time.monotonic() + _READY)
                time.sleep(_SETTLE)
            began, done = time.monotonic(), fleet.board.total()
            waits = _waits(fleet, system, dsn, measuring.plan)
            rate = (fleet.board.total() - done) / (time.monotonic() - began)
    cuts = quantiles(waits, n=100, method="inclusive")
    figures = {name: cuts[percent - 1] for name, percent in _PERCENTILES.items()}
    return {**figures, "load_jobs_per_s": rate} if load else figures


def _waits(fleet: Fleet, system: System, dsn: str, plan: Plan) -> list[float]:
    """Milliseconds between the return of each enqueue and the start of its job.

    Raises:
        NotKeptUpError: some jobs have not started within the limit.
    """
    returned = run_client(_enqueue(system, dsn, plan.samples + _WARM_UP))
    numbers, board = range(_WARM_UP, len(returned)), fleet.board
    if not fleet.wait(lambda: all(map(board.started, numbers)), time.monotonic() + plan.limit):
        raise NotKeptUpError(f"{system.name} has not started all jobs within {plan.limit:g} s")
    return [(board.started(number) - returned[number]) / 1e6 for number in numbers]


async def _enqueue(system: System, dsn: str, jobs: int) -> list[int]:
    """Enqueue numbered jobs at a random pace; when each enqueue returned, in nanoseconds."""
    returned = []
    async with system.client(dsn) as client:
        for number in range(jobs):
            await asyncio.sleep(random.uniform(*_PACE))
            await client.enqueue_stamp(number)
            returned.append(time.monotonic_ns())
    return returned


@contextmanager
def _stream(system: System, dsn: str, rate: float) -> Iterator[None]:
    """Other jobs, so many a second, while the block runs."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.stream", system.name, str(rate)],
            env=environment(dsn), cwd=REPOSITORY, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output,
        )  # fmt: skip
        try:
            yield
            if process.poll() is not None:
                output.seek(0)
                raise MeasurementError(
                    f"The stream of jobs for {system.name} has ended by itself:\n"
                    f"{output.read()[-2000:].decode(errors='replace')}"
                )
        finally:
            process.kill()
            process.wait(10)
