"""How long jobs that share one lock take: they go one by one, whatever the concurrency."""

from __future__ import annotations

import time

import psycopg

from tests.benchmarks.fleet import Fleet
from tests.benchmarks.measuring import Measuring
from tests.benchmarks.systems.base import LOCKED, System

_LOCKED = 1  # the counter of jobs that share the lock


def measure_lock(measuring: Measuring) -> None:
    """Every system that has locks, in turns."""
    for number, system in measuring.turns():
        if not system.has_locks:
            continue
        for concurrency in measuring.plan.concurrencies:
            done, seconds = _measure(measuring, system, concurrency)
            measuring.add(
                "lock", f"{measuring.plan.lock_jobs} jobs, concurrency {concurrency}", system,
                number, jobs_done=done, seconds=seconds, jobs_per_s=done / seconds,
            )  # fmt: skip


def _measure(measuring: Measuring, system: System, concurrency: int) -> tuple[int, float]:
    """How many were done within the limit, and the seconds until the last close."""
    jobs = measuring.plan.lock_jobs
    with measuring.database(system) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            system.fill(connection, jobs, LOCKED)
            connection.execute("VACUUM ANALYZE")
        with Fleet(system, dsn, concurrency=concurrency) as fleet, fleet.gate():
            began = time.monotonic()
            until = began + measuring.plan.limit
            if fleet.wait(lambda: fleet.board.total(_LOCKED) >= jobs, until):
                fleet.wait(fleet.is_done, until)
            return fleet.board.total(_LOCKED), time.monotonic() - began
