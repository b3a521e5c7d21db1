"""The first key: what would go, counted and stored, and nothing removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from queue_worker.errors import PlanRefused
from queue_worker.governance.retention.policy import RetentionPolicy
from queue_worker.governance.retention.work import work_of
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]

SHARE_FROM = 10_000  # rows; of fewer no share is alarming


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a plan is to remove by one policy; see queue_worker.retention_step."""

    policy: str
    table: str
    cutoff: datetime
    seen: str | None
    rows: int
    of_rows: int
    oldest: datetime | None
    newest: datetime | None
    bytes: int
    upto_id: int | None
    partitions: list[str]
    referenced_by: list[str]
    removed: int = 0
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a deletion is to remove; see queue_worker.retention_plan.

    Attributes:
        plan_id: its number; None if it was not stored.
        is_old: whether it is too old to be applied.
    """

    plan_id: int | None
    policy_digest: str
    steps: tuple[Step, ...]
    made_at: datetime | None = None
    made_by: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    undone_at: datetime | None = None
    is_old: bool = False

    @property
    def number(self) -> int:
        """Its number, of a plan that was stored."""
        if self.plan_id is None:
            raise ValueError("this plan was not stored")
        return self.plan_id

    @property
    def rows(self) -> int:
        """How many rows are to go."""
        return sum(step.rows for step in self.steps)

    @property
    def removed(self) -> int:
        """How many are gone."""
        return sum(step.removed for step in self.steps)


def make_plan(connection: Connection, policies: Sequence[RetentionPolicy]) -> Plan:
    """Count what is too old by these policies; writes nothing.

    Args:
        connection: in autocommit.
        policies: those that are active are planned, the others left out.
    """
    active = [policy for policy in policies if policy.is_active]
    steps = tuple(_count(connection, policy) for policy in active)
    digest = read_digest(connection, [policy.name for policy in active])
    return Plan(plan_id=None, policy_digest=digest, steps=steps)


def store_plan(connection: Connection, plan: Plan) -> Plan:
    """Store a plan, so that it can be applied; returns it with its number."""
    with connection.transaction():
        plan_id = _value(connection, "retention_store_plan", digest=plan.policy_digest)
        for step in plan.steps:
            facts = {name: getattr(step, name) for name in Step.__dataclass_fields__}
            connection.execute(statement("retention_store_step"), facts | {"plan_id": plan_id})
    return read_plan(connection, int(plan_id))


def read_plan(connection: Connection, plan_id: int) -> Plan:
    """A plan that was stored.

    Raises:
        PlanRefused: there is none of this number.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement("retention_read_plan"), {"plan_id": plan_id}).fetchone()
    if found is None:
        raise PlanRefused(plan_id, "does not exist")
    with connection.cursor(row_factory=class_row(Step)) as cursor:
        steps = cursor.execute(statement("retention_read_steps"), {"plan_id": plan_id}).fetchall()
    return Plan(steps=tuple(steps), **found)


def check_plan(connection: Connection, plan_id: int) -> Plan:
    """A plan that may be applied.

    Raises:
        PlanRefused: it is unknown, too old, applied already, or its policies have changed since.
    """
    plan = read_plan(connection, plan_id)
    if plan.finished_at is not None:
        raise PlanRefused(plan_id, "was applied already")
    if plan.is_old:
        raise PlanRefused(plan_id, "is more than a day old")
    if read_digest(connection, [step.policy for step in plan.steps]) != plan.policy_digest:
        raise PlanRefused(plan_id, "was made for policies that have changed since")
    return plan


def read_digest(connection: Connection, policies: Sequence[str]) -> str:
    """A fingerprint of these policies, as they are published."""
    return str(_value(connection, "retention_read_digest", policies=list(policies)))


def out_of_bounds(step: Step, policy: RetentionPolicy) -> str | None:
    """Why a step is not carried out without a person who has looked at it, or None."""
    if step.rows > policy.max_rows:
        return f"{step.rows:,} rows are more than {policy.max_rows:,} (max_rows)"
    if step.rows >= SHARE_FROM and step.rows > policy.max_share * step.of_rows:
        return (
            f"{step.rows:,} of {step.of_rows:,} rows are more than {policy.max_share} (max_share)"
        )
    return None


def _count(connection: Connection, policy: RetentionPolicy) -> Step:
    table = policy.qualified_table.as_string(connection)
    cutoff = _value(connection, "retention_read_cutoff", keep=policy.keep)
    seen = _value(connection, "content_read_watermark") if policy.kind == "events" else None
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            work_of(connection, policy).count,
            {"cutoff": cutoff, "seen": seen, "statuses": list(policy.statuses)},
        ).fetchone()
    references = connection.execute(statement("retention_list_references"), {"table": table})
    return Step(
        policy=policy.name,
        table=table,
        cutoff=cutoff,
        seen=seen,
        referenced_by=[name for (name,) in references],
        **(found or {}),
    )


def _value(connection: Connection, name: str, **parameters: object) -> Any:  # noqa: ANN401  any column
    row = connection.execute(statement(name), parameters).fetchone()
    return None if row is None else row[0]
