"""The audit log: what stands in it, and whether somebody has tampered with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from queue_worker.governance.operations import refusals_explained
from queue_worker.statements import statement

Row = dict[str, Any]
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class AuditFindings:
    """What a verification has found.

    Attributes:
        problems: a row for each entry that was edited, deleted, put in or cut off.
        anchor: where the log stands now, for a later verification; None if its head is gone.
    """

    problems: list[Row]
    anchor: str | None


def list_audit(connection: Connection, *, subject: str | None = None, limit: int = 20) -> list[Row]:
    """The newest entries, newest first; `subject` is of the form kind:key."""
    return _read(connection, "list_audit", subject=subject, limit=limit)


def verify_audit(connection: Connection, anchor: str | None = None) -> AuditFindings:
    """Compare every entry with its link in the chain, and the chain with its head.

    Args:
        connection: where the log is.
        anchor: what an earlier verification has returned and somebody has kept elsewhere. Without
            it, a superuser who has rewritten the whole chain is not found out.

    Raises:
        OperationRefused: the anchor is no text that the database could hold.
    """
    with refusals_explained(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        problems = _read(connection, "verify_audit", anchor=anchor)
        heads = _read(connection, "read_audit_anchor")
    return AuditFindings(problems, heads[0]["anchor"] if heads else None)


def _read(connection: Connection, name: str, **parameters: object) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement(name), parameters).fetchall()
