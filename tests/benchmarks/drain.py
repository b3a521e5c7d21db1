"""How fast waiting jobs are done, from the first claim to the commit of the last close."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg

from tests.benchmarks.cpu import cpu_between, server_cpu_seconds
from tests.benchmarks.fleet import Fleet, MeasurementError
from tests.benchmarks.measuring import Measuring
from tests.benchmarks.systems.base import System

_LEAST = 200  # jobs of the shortest measurement
_CALIBRATION = 0.5  # the part of the planned time that the first try is meant for


@dataclass(frozen=True)
class Drained:
    """One drain.

    Attributes:
        jobs: how many were done.
        run_seconds: until the last of them had run.
        seconds: until all of them were recorded; some systems wait before they write the last.
        worker_cpu: CPU seconds of the workers.
        server_cpu: CPU seconds of the server's processes; None where it runs elsewhere.
    """

    jobs: int
    run_seconds: float
    seconds: float
    worker_cpu: float | None
    server_cpu: float | None

    @property
    def rate(self) -> float:
        """Jobs run and recorded a second."""
        return self.jobs / self.seconds

    @property
    def run_rate(self) -> float:
        """Jobs run a second."""
        return self.jobs / self.run_seconds

    def per_job(self, cpu: float | None) -> float | None:
        """CPU microseconds a job."""
        return None if cpu is None else cpu / self.jobs * 1e6


def measure_drain(measuring: Measuring) -> None:
    """Every system with each number of worker processes, in turns."""
    sizes = {system.name: calibrate(measuring, system) for system in measuring.systems}
    for number, system in measuring.turns():
        for workers in measuring.plan.workers:
            drained = drain_new(measuring, system, jobs=sizes[system.name], workers=workers)
            if workers == 1:
                measuring.rates[system.name] = drained.run_rate
            measuring.add(
                "drain", f"{workers} worker{'s' if workers > 1 else ''}", system, number,
                jobs_per_s=drained.rate,
                run_jobs_per_s=drained.run_rate,
                worker_cpu_us_per_job=drained.per_job(drained.worker_cpu),
                server_cpu_us_per_job=drained.per_job(drained.server_cpu),
            )  # fmt: skip


def calibrate(measuring: Measuring, system: System) -> int:
    """How many jobs one worker does in the planned time, by a short drain if need be."""
    seconds = measuring.plan.seconds
    if system.name not in measuring.rates:
        first = max(_LEAST, int(system.guess * seconds * _CALIBRATION))
        measuring.rates[system.name] = drain_new(measuring, system, jobs=first).run_rate
    return max(_LEAST, int(measuring.rates[system.name] * seconds))


def drain_new(measuring: Measuring, system: System, *, jobs: int, workers: int = 1) -> Drained:
    """Drain a new database with nothing else in it, and see that all of it is recorded."""
    with measuring.database(system) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            system.fill(connection, jobs)
            connection.execute("VACUUM ANALYZE")
        measuring.server.checkpoint()
        with Fleet(system, dsn, workers=workers) as fleet:
            drained = drain(fleet, jobs, limit=max(60.0, 20 * measuring.plan.seconds))
            if drained.jobs < jobs:
                raise MeasurementError(
                    f"{system.name} did {drained.jobs} of {jobs} jobs in {drained.seconds:.0f} s"
                )
            require_recorded(system, fleet, jobs)
    return drained


def drain(fleet: Fleet, jobs: int, *, limit: float, to_last_close: bool = True) -> Drained:
    """Start the fleet and let it do this many jobs, or what it can do within the limit."""
    with fleet.gate():
        began = time.monotonic()
        before, server_before = fleet.cpu(), server_cpu_seconds(fleet.connection)
        until = began + limit
        fleet.wait(lambda: fleet.board.total() >= jobs, until)
        run_seconds = time.monotonic() - began
        if to_last_close and fleet.board.total() >= jobs:
            fleet.wait(fleet.is_done, until)
        seconds, done = time.monotonic() - began, fleet.board.total()
        worker_cpu = cpu_between(before, fleet.cpu())
        server_cpu = cpu_between(server_before, server_cpu_seconds(fleet.connection))
    return Drained(done, run_seconds, seconds, worker_cpu, server_cpu)


def require_recorded(system: System, fleet: Fleet, jobs: int) -> None:
    """All of its tables say that this many jobs have succeeded.

    Raises:
        MeasurementError: one of them doesn't.
    """
    found = system.finished(fleet.connection)
    if set(found.values()) != {jobs}:
        raise MeasurementError(f"{system.name} did {jobs} jobs, but its tables say {found}")
