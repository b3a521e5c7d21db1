"""How much a statement looks at, by the account of the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg

from queue_worker.session import _PINNING, _PREPARATION
from queue_worker.statements import positional_statement


def pin(connection: psycopg.Connection[Any]) -> None:
    """Make it plan as the sessions do that claim and close."""
    connection.execute(_PREPARATION)
    connection.execute(_PINNING)


def explained(
    connection: psycopg.Connection[Any], name: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Run the statement of this name and return the root of its plan, with rows and pages."""
    text, names = positional_statement(name)
    cursor = psycopg.RawCursor(connection)
    cursor.execute(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", [given[name] for name in names]
    )
    row = cursor.fetchone()
    assert row is not None
    answer = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    plan: dict[str, Any] = answer[0]["Plan"]
    return plan


def pages_of(plan: Mapping[str, Any]) -> int:
    """The pages it looked at, also those of the functions it called."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
