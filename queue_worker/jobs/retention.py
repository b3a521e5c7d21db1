"""retention: removes what the policies no longer keep, and nothing else.

It makes a plan and applies it, both within the bounds that each policy declares; a plan beyond
them waits for a person (`queue-worker retention apply`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
from pydantic import BaseModel, ConfigDict

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.errors import PolicyRefused, RetentionStopped
from queue_worker.governance.retention.enforce import enforce_policies
from queue_worker.governance.retention.plan import make_plan
from queue_worker.governance.retention.policies import EVENTS, declared_policies, publish_policies

Connection = psycopg.Connection[tuple[Any, ...]]


class RetentionArgs(BaseModel):
    """How to run.

    Attributes:
        dry_run: only log what would go.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dry_run: bool = False


def enforce_retention(ctx: JobContext, args: RetentionArgs) -> None:
    """Remove what the policies no longer keep.

    Each batch is committed by itself, so a run that was killed is simply run again.

    Raises:
        RetentionStopped: a policy would remove more than it declares, or could not end; all others
            were carried out.
        RetentionBusy: another retention is at work.
    """
    policies = declared_policies(ctx.settings)
    others = [policy for policy in policies if policy != EVENTS]
    actor = f"run:{ctx.run_id}"
    with ctx.sync_connection() as connection:
        connection.autocommit = True
        publish_policies(connection, policies)
        if args.dry_run:
            for step in make_plan(connection, policies).steps:
                ctx.log.info("retention.planned", policy=step.policy, rows=step.rows)
            return
        removed = _all_of(
            lambda: prune_old_analytics_events(connection, actor=actor),
            lambda: enforce_policies(connection, others, actor=actor).removed,
        )
    ctx.log.info("retention.enforced", rows=removed)


def prune_old_analytics_events(
    connection: Connection, days: int = 90, *, actor: str = "prune_old_analytics_events"
) -> int:
    """Delete the raw events of UTC days more than `days` ago that the aggregates have counted.

    Partitions of which every event goes are dropped, all others are emptied in batches. Returns how
    many events are gone. The connection must be in autocommit.

    Raises:
        PolicyRefused: the policy keeps them longer.
        RetentionStopped: it would be more than the policy declares, or could not end.
        RetentionBusy: another retention is at work.
    """
    policy = EVENTS.keeping(timedelta(days=days))
    if EVENTS.keep is None or timedelta(days=days) < EVENTS.keep:
        raise PolicyRefused(EVENTS.name, f"keeps more than {days} days", "Keep them as long.")
    return enforce_policies(connection, [policy], actor=actor).removed


def _all_of(*parts: Callable[[], int]) -> int:
    """What they come to together; one that is stopped does not keep the others from their work."""
    total = 0
    problems: dict[int, dict[str, str]] = {}
    for part in parts:
        try:
            total += part()
        except RetentionStopped as stopped:
            problems |= stopped.problems
    if problems:
        raise RetentionStopped(problems)
    return total


job: JobDefinition[RetentionArgs] = JobDefinition(
    name="retention",
    function=enforce_retention,
    args=RetentionArgs,
    timeout=timedelta(hours=6),
    lock="retention",
    queue="queue_worker",
    restartable=True,
    owner="platform",
    runbook="docs/JOBS.md#retention",
)
