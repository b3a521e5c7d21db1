"""How the drain rate changes when the tables are full of something else.

Each case is compared with a drain of the same jobs from empty tables in the same round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.benchmarks.drain import Drained, calibrate, drain
from tests.benchmarks.fleet import Fleet, MeasurementError
from tests.benchmarks.measuring import Measuring
from tests.benchmarks.plan import Plan
from tests.benchmarks.systems.base import LOCKED, System

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Case:
    """One way to fill the tables.

    Attributes:
        name: what they are full of.
        fill: puts it there, before the jobs that are counted.
        needs_locks: whether only systems with locks can have it.
        holds_back_vacuum: whether a transaction stays open that still sees everything.
    """

    name: str
    fill: Callable[[System, Connection, Plan], None]
    needs_locks: bool = False
    holds_back_vacuum: bool = False


def cases(plan: Plan) -> list[Case]:
    """All of them, in the sizes of the plan."""
    rows = f"{plan.rows:,}"
    return [
        Case(f"{rows} finished", lambda system, c, p: system.fill_finished(c, p.rows)),
        Case(f"{rows} waiting", lambda system, c, p: system.fill(c, p.rows)),
        Case(
            f"{rows} for later, higher priority",
            lambda system, c, p: system.fill_scheduled(c, p.rows),
        ),
        Case(
            f"{plan.locked:,} waiting on one lock",
            lambda system, c, p: system.fill(c, p.locked, LOCKED),
            needs_locks=True,
        ),
        Case(
            f"vacuum held back, {plan.churned:,} jobs done",
            lambda _system, _c, _p: None,
            holds_back_vacuum=True,
        ),
    ]


def measure_growth(measuring: Measuring) -> None:
    """Every system in turns, through all cases."""
    sizes = {system.name: calibrate(measuring, system) for system in measuring.systems}
    nothing = Case("empty", lambda _system, _c, _p: None)
    for number, system in measuring.turns():
        jobs = sizes[system.name]
        empty = _drain(measuring, system, nothing, jobs)
        measuring.add("growth", nothing.name, system, number, jobs_per_s=empty.rate)
        for case in cases(measuring.plan):
            if case.needs_locks and not system.has_locks:
                continue
            full = _drain(measuring, system, case, jobs)
            measuring.add(
                "growth", case.name, system, number,
                jobs_per_s=full.rate, times_empty=full.rate / empty.rate,
            )  # fmt: skip


def _drain(measuring: Measuring, system: System, case: Case, jobs: int) -> Drained:
    """The jobs that were done until the last one, or until the limit."""
    plan = measuring.plan
    with measuring.database(system) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        case.fill(system, connection, plan)
        with _old_transaction(dsn) if case.holds_back_vacuum else nullcontext():
            if case.holds_back_vacuum and not system.churn(connection, plan.churned):
                _churn(system, dsn, connection, plan)
            system.fill(connection, jobs)
            connection.execute("VACUUM ANALYZE")
            measuring.server.checkpoint()
            with Fleet(system, dsn) as fleet:
                return drain(fleet, jobs, limit=plan.limit)


@contextmanager
def _old_transaction(dsn: str) -> Iterator[None]:
    """A transaction that began before all that follows, and still sees the state of then."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM pg_class")
        yield
        connection.rollback()


def _churn(system: System, dsn: str, connection: Connection, plan: Plan) -> None:
    """Have a worker do jobs that are not measured."""
    system.fill(connection, plan.churned)
    connection.execute("ANALYZE")
    with Fleet(system, dsn) as fleet:
        limit = max(120.0, plan.limit * 4)
        if drain(fleet, plan.churned, limit=limit).jobs < plan.churned:
            raise MeasurementError(
                f"{system.name} did not do {plan.churned:,} jobs within {limit:g} s: "
                "fewer, with --churned, may do"
            )
