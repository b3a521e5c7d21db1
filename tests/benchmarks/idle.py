"""What workers cost while there is nothing to do, and how many of them one job wakes."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from tests.benchmarks.cpu import cpu_between, memory, server_cpu_seconds
from tests.benchmarks.fleet import Fleet, MeasurementError
from tests.benchmarks.measuring import Measuring, say
from tests.benchmarks.statements import StatementCounter, between
from tests.benchmarks.systems.base import System

_CONNECTIONS = 10  # at most, of one worker
_SPARE = 20  # connections left for others
_WAKE = 1.0  # seconds in which workers react to a notification
_READY = 180.0  # seconds for a fleet to be there


def measure_idle(measuring: Measuring) -> None:
    """Every system once a round: one worker; then, in the first round, a fleet of ours."""
    for number, system in measuring.turns():
        measuring.add("idle", "1 worker", system, number, **_measure_one(measuring, system))
        if number == 0:
            workers = min(measuring.plan.fleet, _most_workers(measuring))
            if workers < measuring.plan.fleet:
                say(f"Only {workers} idle workers: max_connections allows no more.")
            figures = _measure_fleet(measuring, system, workers)
            measuring.add("idle", f"{workers} workers", system, number, **figures)


def _measure_one(measuring: Measuring, system: System) -> dict[str, float | None]:
    """What one idle worker costs a minute."""
    with (
        measuring.database(system) as dsn,
        StatementCounter(measuring, dsn, system.claim_pattern) as counter,
        Fleet(system, dsn) as fleet,
    ):
        _start(fleet, system, settle=measuring.plan.settle)
        began, before, server_before = (
            time.monotonic(),
            fleet.cpu(),
            server_cpu_seconds(fleet.connection),
        )
        with between(counter) as found:
            time.sleep(measuring.plan.idle_seconds)
        minutes = (time.monotonic() - began) / 60
        worker_cpu = cpu_between(before, fleet.cpu())
        server_cpu = cpu_between(server_before, server_cpu_seconds(fleet.connection))
        used = memory(fleet.pids[0])
    return {
        "transactions_per_min": found[0].transactions / minutes,
        "statements_per_min": _divided(found[0].statements, minutes),
        "worker_cpu_s_per_min": _divided(worker_cpu, minutes),
        "server_cpu_s_per_min": _divided(server_cpu, minutes),
        "rss_mb": used.get("rss"),
        "pss_mb": used.get("pss"),
    }


def _measure_fleet(measuring: Measuring, system: System, workers: int) -> dict[str, float | None]:
    """What one notification sets off in many idle workers, and what each of them holds.

    Ours looks by itself so rarely here that every claim is an answer to the notification.
    """
    rarely = {"QUEUE_WORKER_POLL_INTERVAL": "3600"}
    with (
        measuring.database(system) as dsn,
        StatementCounter(measuring, dsn, system.claim_pattern) as counter,
        Fleet(system, dsn, workers=workers, extra=rarely) as fleet,
    ):
        _start(fleet, system, settle=measuring.plan.settle, workers=workers)
        with between(counter) as quiet:
            time.sleep(_WAKE)
        with between(counter) as woken:
            _wake(fleet, system)
        sizes = [memory(pid) for pid in fleet.pids]
    before, after = quiet[0], woken[0]
    claims = None if after.claims is None else after.claims - (before.claims or 0)
    return {
        "claims_per_notify": claims,
        "transactions_per_notify": max(0, after.transactions - before.transactions),
        "rss_mb": _mean([size["rss"] for size in sizes if "rss" in size]),
        "pss_mb": _mean([size["pss"] for size in sizes if "pss" in size]),
    }


def _start(fleet: Fleet, system: System, *, settle: float, workers: int = 1) -> None:
    """Start the workers, and wait until all are connected and nothing new happens."""
    fleet.start()
    seen, since = 0, time.monotonic()

    def is_settled() -> bool:
        nonlocal seen, since
        connected = _connections(fleet.connection)
        if connected != seen:
            seen, since = connected, time.monotonic()
        wanted = workers * system.claimants
        return connected >= wanted and time.monotonic() - since > settle

    if not fleet.wait(is_settled, time.monotonic() + _READY, 0.1):
        raise MeasurementError(
            f"{workers} idle workers of {system.name} were not there within {_READY:g} s: "
            "fewer, with --fleet, may do"
        )


def _connections(connection: psycopg.Connection[Any]) -> int:
    """How many other connections this database has."""
    row = connection.execute(
        "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
    ).fetchone()
    return int(row[0]) if row else 0


def _wake(fleet: Fleet, system: System) -> None:
    """Enqueue one job, and give the workers time to react."""
    system.fill(fleet.connection, 1)
    time.sleep(_WAKE)


def _most_workers(measuring: Measuring) -> int:
    """How many workers the server has connections for."""
    with psycopg.connect(measuring.server.dsn, autocommit=True) as connection:
        row = connection.execute("SELECT current_setting('max_connections')::integer").fetchone()
    return max(1, ((row[0] if row else 0) - _SPARE) // _CONNECTIONS)


def _divided(value: float | None, by: float) -> float | None:
    return None if value is None else value / by


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
