"""The second key: what matches a plan is removed, batch by batch, and nothing else.

Each batch is one transaction that also records how far it has come, so that a plan which was
interrupted goes on where it stood.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from queue_worker.errors import RetentionBusy
from queue_worker.governance.retention.plan import Plan, Step, check_plan, read_plan
from queue_worker.governance.retention.policy import RetentionPolicy
from queue_worker.governance.retention.work import Query, work_of
from queue_worker.statements import statement

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at a time, so that everybody else keeps up.

    Attributes:
        batch_rows: the most rows of a transaction.
        batch_bytes: the most bytes of rows of a transaction; one row always goes.
        pause: the least seconds between two of them; a batch that took longer is followed by as
            long a pause, so that no more than half of the time is ours.
        lock_timeout: seconds to wait for a lock that somebody holds; others wait behind us.
        patience: seconds to try that again.
    """

    batch_rows: int = 5_000
    batch_bytes: int = 4_000_000
    pause: float = 0.02
    lock_timeout: float = 0.3
    patience: float = 600.0


GENTLE = Pace()
_LIMITS = sql.SQL("SET LOCAL lock_timeout = {}; SET LOCAL jit = off")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step has come."""

    policy: str
    removed: int
    rows: int


def apply_plan(
    connection: Connection,
    plan_id: int,
    policies: Sequence[RetentionPolicy],
    *,
    actor: str,
    reason: str,
    only: Sequence[str] | None = None,
    pace: Pace = GENTLE,
    report: Callable[[Progress], None] = lambda _: None,
) -> Plan:
    """Remove what a plan says, and return it as it stands then.

    Args:
        connection: in autocommit, straight to the server.
        plan_id: the plan; one that was interrupted goes on.
        policies: the policies of the plan, as they are declared.
        actor: who applies it, for the audit log.
        reason: why.
        only: the policies to carry out; None means all.
        pace: how much at a time.
        report: told of each batch once it is committed.

    Raises:
        PlanRefused: it is unknown, too old, applied already, or its policies have changed since.
        RetentionBusy: another retention is at work.
    """
    with _alone(connection):
        plan = check_plan(connection, plan_id)
        by_name = {policy.name: policy for policy in policies}
        connection.execute(
            statement("retention_start_plan"),
            {"plan_id": plan_id, "actor": actor, "reason": reason},
        )
        for step in plan.steps:
            if step.finished_at is None and (only is None or step.policy in only):
                _Task(connection, plan_id, step, by_name[step.policy], pace, report).carry_out()
        connection.execute(statement("retention_finish_plan"), {"plan_id": plan_id})
        return read_plan(connection, plan_id)


@contextlib.contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    row = connection.execute(statement("retention_hold_turn")).fetchone()
    if row != (True,):
        raise RetentionBusy
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute(statement("retention_end_turn"))


@dataclass(slots=True)
class _Task:
    """One step under way."""

    connection: Connection
    plan_id: int
    step: Step
    policy: RetentionPolicy
    pace: Pace
    report: Callable[[Progress], None]

    def carry_out(self) -> None:
        """Remove what the step says."""
        if self.policy.kind == "events" and self.step.rows:
            self._insist(self._finalize_days)
            self._drop_partitions()
        remove = work_of(self.connection, self.policy).remove
        while self._remove_batch(remove):
            pass
        self._run(statement("retention_finish_step"))

    def _finalize_days(self) -> None:
        """Count what has not been counted yet; from now on no day before the cutoff changes."""
        row = self.connection.execute(statement("content_read_watermark")).fetchone()
        seen, now_seen = row or ("1:1:", "1:1:")
        self._run(statement("content_aggregate_days"), seen=seen)
        self._run(statement("content_advance_watermark"), seen=now_seen)
        self._run(statement("retention_finalize_days"), cutoff=self.step.cutoff)

    def _drop_partitions(self) -> None:
        for (partition,) in self._run(statement("retention_read_partitions")):
            count = sql.SQL(statement("retention_count_partition"))
            row = self.connection.execute(
                count.format(partition=sql.SQL(partition))
            ).fetchone()  # regclass gives names quoted
            self._remove(
                sql.SQL(statement("retention_drop_partition")),
                partition=partition,
                rows=row[0] if row else 0,
            )

    def _remove_batch(self, remove: Query) -> bool:
        """Remove the next batch; whether there may be more."""
        return self._remove(
            remove,
            batch_rows=self.pace.batch_rows,
            batch_bytes=self.pace.batch_bytes,
            statuses=list(self.policy.statuses),
        )

    def _remove(self, query: Query, **parameters: object) -> bool:
        begun = time.monotonic()
        row = self._insist(lambda: self._fetch_one(query, **parameters))
        if row is None:
            return False
        removed, rows = row
        self.report(Progress(self.step.policy, removed, rows))
        if removed >= rows:
            return False
        time.sleep(max(self.pace.pause, time.monotonic() - begun))
        return True

    def _fetch_one(self, query: Query, **parameters: object) -> tuple[Any, ...] | None:
        # An index is used whatever the statistics say: each batch has one that fits.
        self.connection.execute("SET LOCAL enable_seqscan = off")
        return next(iter(self._run(query, **parameters)), None)

    def _insist(self, work: Callable[[], T]) -> T:
        """Run it in a transaction that waits for no lock for long, again until it has them all."""
        milliseconds = sql.Literal(round(self.pace.lock_timeout * 1000))
        until = time.monotonic() + self.pace.patience
        while True:
            try:
                with self.connection.transaction():
                    self.connection.execute(_LIMITS.format(milliseconds))
                    return work()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                if time.monotonic() > until:
                    raise
                time.sleep(self.pace.lock_timeout)

    def _run(self, query: Any, **parameters: object) -> list[tuple[Any, ...]]:  # noqa: ANN401  text or composed
        keys = {"plan_id": self.plan_id, "policy": self.step.policy}
        cursor = self.connection.execute(query, keys | parameters, prepare=False)
        return cursor.fetchall() if cursor.description else []
