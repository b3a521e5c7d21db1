"""The policies of this database: declared here, and published for psql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from queue_worker.errors import PolicyRefused
from queue_worker.governance.retention.policy import FOREVER, RetentionPolicy
from queue_worker.schemas import schema_names
from queue_worker.settings import Settings
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]

_HERE = schema_names()

EVENTS = RetentionPolicy(
    name="analytics_event",
    schema=_HERE.content,
    table="analytics_event",
    column="occurred_at",
    keep=timedelta(days=90),
    least=timedelta(days=36),  # signal_generator looks back on 35
    how="hard_delete",
    kind="events",
    description="raw events that the aggregates have counted",
)
AGGREGATES = RetentionPolicy(
    name="analytics_daily_aggregate",
    schema=_HERE.content,
    table="analytics_daily_aggregate",
    column="day",
    keep=timedelta(days=731),
    least=timedelta(days=90),
    description="the numbers of a day",
)
SIGNALS = RetentionPolicy(
    name="analytics_signal",
    schema=_HERE.content,
    table="analytics_signal",
    column="window_end",
    keep=timedelta(days=366),
    least=timedelta(days=90),
    description="signals; a suggestion keeps a copy of its own",
)
SUCCEEDED = RetentionPolicy(
    name="finished_queue_rows.succeeded",
    table="procrastinate_jobs",
    column="finished_at",
    keep=timedelta(days=7),
    how="hard_delete",
    kind="queue_rows",
    statuses=("succeeded",),
    max_rows=100_000_000,
    max_share=Decimal(1),  # on a busy day most of what is there has ended a week ago
    description="queue rows and their events; the ledger keeps the run",
)
OTHERS = RetentionPolicy(
    name="finished_queue_rows.others",
    table="procrastinate_jobs",
    column="finished_at",
    keep=timedelta(days=30),
    how="hard_delete",
    kind="queue_rows",
    statuses=("failed", "cancelled", "aborted"),
    max_rows=100_000_000,
    max_share=Decimal(1),  # on a busy day most of what is there has ended a week ago
    description="the same for all other ends",
)
LEDGER = RetentionPolicy(
    name="run_ledger",
    schema=_HERE.ours,
    table="run",
    column="finished_at",
    keep=FOREVER,
    least=timedelta(days=90),
    how="hard_delete",
    kind="runs",
    description="the runs themselves",
)


def _never(schema: str, table: str) -> RetentionPolicy:
    return RetentionPolicy(
        name=table, schema=schema, table=table, how="never", description="kept for ever"
    )


_KEPT = (
    _never(_HERE.content, "content_suggestion"),
    _never(_HERE.content, "regeneration_output"),
    _never(_HERE.content, "published_output"),
    _never(_HERE.ours, "audit_log"),
)


def declared_policies(settings: Settings) -> tuple[RetentionPolicy, ...]:
    """Every policy, with the ages that the settings say.

    Raises:
        PolicyRefused: a setting keeps less than its policy allows.
    """
    succeeded, others, ledger = (
        SUCCEEDED.keeping(timedelta(days=settings.keep_succeeded_days)),
        OTHERS.keeping(timedelta(days=settings.keep_finished_days)),
        LEDGER.keeping(_days(settings.keep_runs_days)),
    )
    for rows in (succeeded, others):
        if ledger.keep is not None and rows.keep is not None and ledger.keep <= rows.keep:
            raise PolicyRefused(
                ledger.name,
                f"keeps no longer than {rows.name}, which asks the ledger how old a row is",
                "Keep the ledger for longer than the queue.",
            )
    return (EVENTS, AGGREGATES, SIGNALS, succeeded, others, ledger, *_KEPT)


def publish_policies(connection: Connection, policies: Sequence[RetentionPolicy]) -> None:
    """Fill queue_worker.retention_policy with these, and with no others.

    Raises:
        PolicyRefused: a table or column is not there, or is kept for ever.
    """
    try:
        connection.execute(statement("retention_publish_policies"), describe_policies(policies))
    except (psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.DataError) as error:
        if error.diag.context is None or "publish_policies" not in error.diag.context:
            raise  # not one of its refusals
        said = error.diag
        raise PolicyRefused.by_the_database(said.message_primary, said.message_hint) from None


def describe_policies(policies: Sequence[RetentionPolicy]) -> dict[str, Any]:
    """The parameter of the statement that publishes them."""
    return {"policies": Jsonb([policy.describe() for policy in policies])}


def list_policies(connection: Connection) -> list[dict[str, Any]]:
    """What is published, as rows with names."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement("retention_read_policies")).fetchall()


def _days(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(days=number)
