"""How the drain rate changes when the tables are full of something else.

Each case is compared with a drain of the same jobs from empty tables just before it.
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
_CHURN_LIMIT = 300.0  # seconds to do the jobs that are not measured


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
    fill: Callable[[System, Connection], None] = lambda _system, _connection: None
    needs_locks: bool = False
    holds_back_vacuum: bool = False


def cases(plan: Plan) -> list[Case]:
    """Those that are wanted, in the sizes of the plan."""
    rows, locked = plan.rows, plan.locked
    known = {
        "finished": Case(f"{rows:,} finished", lambda s, c: s.fill_finished(c, rows)),
        "waiting": Case(f"{rows:,} waiting", lambda s, c: s.fill(c, rows)),
        "later": Case(
            f"{rows:,} for later, higher priority", lambda s, c: s.fill_scheduled(c, rows)
        ),
        "lock": Case(
            f"{locked:,} waiting on one lock",
            lambda s, c: s.fill(c, locked, LOCKED),
            needs_locks=True,
        ),
        "vacuum": Case(f"vacuum held back, {plan.churned:,} jobs done", holds_back_vacuum=True),
    }
    return [known[name] for name in plan.cases]


def measure_growth(measuring: Measuring) -> None:
    """One case after the other, the systems taking turns in each."""
    sizes = {system.name: calibrate(measuring, system) for system in measuring.systems}
    for case in cases(measuring.plan):
        for number, system in measuring.turns():
            if case.needs_locks and not system.has_locks:
                continue
            jobs = sizes[system.name]
            empty = _drain(measuring, system, Case("empty"), jobs)
            full = _drain(measuring, system, case, jobs)
            measuring.add(
                "growth", case.name, system, number, empty_jobs_per_s=empty.rate,
                jobs_per_s=full.rate, times_empty=full.rate / empty.rate,
            )  # fmt: skip
        measuring.server.drop_templates(case.name)


def _drain(measuring: Measuring, system: System, case: Case, jobs: int) -> Drained:
    """The jobs that were done until the last one has run, or until the limit."""

    def create(dsn: str) -> None:
        system.create(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            case.fill(system, connection)
            connection.execute("VACUUM ANALYZE")

    plan = measuring.plan
    with (
        measuring.server.database(system.name, create, contents=case.name) as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
        _old_transaction(dsn) if case.holds_back_vacuum else nullcontext(),
    ):
        if case.holds_back_vacuum and not system.churn(connection, plan.churned):
            _churn(system, dsn, connection, plan)
        system.fill(connection, jobs)
        connection.execute("VACUUM ANALYZE")
        measuring.server.checkpoint()
        with Fleet(system, dsn) as fleet:
            return drain(fleet, jobs, limit=plan.limit, to_last_close=False)


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
        done = drain(fleet, plan.churned, limit=_CHURN_LIMIT).jobs
    if done < plan.churned:
        raise MeasurementError(
            f"{system.name} did {done:,} of {plan.churned:,} jobs in {_CHURN_LIMIT:g} s: fewer, "
            "with --churned, may do"
        )
