"""The statements of each kind of policy: one counts what would go, one removes a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from queue_worker.governance.retention.policy import Kind, RetentionPolicy
from queue_worker.statements import statement

Connection = psycopg.Connection[tuple[Any, ...]]
Query = sql.SQL | sql.Composed

_NAMES: dict[Kind, tuple[str, str]] = {
    "rows": ("retention_count_rows", "retention_soft_delete_rows"),
    "events": ("retention_count_events", "retention_delete_events"),
    "queue_rows": ("retention_count_queue_rows", "retention_delete_queue_rows"),
    "runs": ("retention_count_runs", "retention_delete_runs"),
}
# A date is compared with the UTC day of the cutoff, whatever the session's time zone is.
_OF_DATES = {
    "age": "(t.{column})::timestamp AT TIME ZONE 'UTC'",
    "cutoff": "({cutoff} AT TIME ZONE 'UTC')::date",
    "last": "coalesce((s.last_at AT TIME ZONE 'UTC')::date, '-infinity')",
}
_OF_MOMENTS = {
    "age": "t.{column}",
    "cutoff": "{cutoff}",
    "last": "coalesce(s.last_at, '-infinity')",
}


@dataclass(frozen=True, slots=True)
class Work:
    """What a policy runs.

    Attributes:
        count: counts what is too old.
        remove: removes one batch and records it.
    """

    count: Query
    remove: Query


def work_of(connection: Connection, policy: RetentionPolicy) -> Work:
    """The statements of a published policy; names are quoted, values bound."""
    count, remove = _NAMES[policy.kind]
    if policy.kind != "rows":
        return Work(sql.SQL(statement(count)), sql.SQL(statement(remove)))
    column = _quoted(connection, sql.Identifier(policy.column or ""))
    forms = _OF_DATES if _is_date(connection, policy) else _OF_MOMENTS
    age = sql.SQL(forms["age"]).format(column=column)
    remaining_age = sql.SQL(forms["age"]).format(column=sql.Identifier("at"))
    last = sql.SQL(forms["last"])

    def cutoff(text: LiteralString) -> sql.Composed:
        return sql.SQL(forms["cutoff"]).format(cutoff=sql.SQL(text))

    table = _quoted(connection, policy.qualified_table)
    return Work(
        sql.SQL(statement(count)).format(
            table=table, column=column, age=age, cutoff=cutoff("%(cutoff)s::timestamptz")
        ),
        sql.SQL(statement(remove)).format(
            table=table, column=column, age=remaining_age, last=last, cutoff=cutoff("s.cutoff")
        ),
    )


def _quoted(connection: Connection, name: sql.Identifier) -> sql.SQL:
    """A quoted name, for a statement with parameters: there a % stands for itself only in pairs."""
    return sql.SQL(name.as_string(connection).replace("%", "%%"))


def _is_date(connection: Connection, policy: RetentionPolicy) -> bool:
    row = connection.execute(
        statement("retention_read_column_type"),
        {"table": policy.qualified_table.as_string(connection), "column": policy.column},
    ).fetchone()
    return row == ("date",)
