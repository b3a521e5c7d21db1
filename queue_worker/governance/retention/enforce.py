"""Plan and apply in one go, within the bounds that the policies declare: for scheduled runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from queue_worker.errors import RetentionStopped
from queue_worker.governance.retention.apply import GENTLE, Pace, Progress, apply_plan
from queue_worker.governance.retention.plan import (
    Plan,
    make_plan,
    out_of_bounds,
    store_plan,
)
from queue_worker.governance.retention.policy import RetentionPolicy

Connection = psycopg.Connection[tuple[Any, ...]]


def enforce_policies(
    connection: Connection,
    policies: Sequence[RetentionPolicy],
    *,
    actor: str,
    reason: str = "its age, by the policy",
    pace: Pace = GENTLE,
    report: Callable[[Progress], None] = lambda _: None,
) -> Plan:
    """Make a plan for published policies and apply it where it is within their bounds.

    Raises:
        RetentionStopped: a policy would remove more than it declares, the others were
            carried out.
        RetentionBusy: another retention is at work.
    """
    plan = make_plan(connection, policies)
    if not plan.rows:
        return plan
    plan = store_plan(connection, plan)
    plan_id = plan.number
    by_name = {policy.name: policy for policy in policies}
    refused = {
        step.policy: problem
        for step in plan.steps
        if (problem := out_of_bounds(step, by_name[step.policy]))
    }
    applied = apply_plan(
        connection,
        plan_id,
        policies,
        actor=actor,
        reason=reason,
        only=[step.policy for step in plan.steps if step.policy not in refused],
        pace=pace,
        report=report,
    )
    if refused:
        raise RetentionStopped({plan_id: refused})
    return applied
