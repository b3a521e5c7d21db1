"""Put what a plan has soft-deleted into use again."""

from __future__ import annotations

from typing import Any

import psycopg

from queue_worker.errors import PlanRefused, RetentionError
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]


def undo_plan(connection: Connection, plan_id: int, *, actor: str, reason: str) -> int:
    """Clear `deleted_at` of the rows of this plan; returns how many. What is gone stays gone.

    Raises:
        PlanRefused: it was never applied.
        RetentionError: there is no name or no reason.
    """
    parameters = {"plan_id": plan_id, "actor": actor, "reason": reason}
    try:
        row = connection.execute(statement("retention_undo_plan"), parameters).fetchone()
    except psycopg.errors.NoDataFound:
        raise PlanRefused(plan_id, "was not applied") from None
    except psycopg.errors.InvalidParameterValue as error:
        said = error.diag
        raise RetentionError(f"{said.message_primary}. {said.message_hint}") from None
    return 0 if row is None else int(row[0])
