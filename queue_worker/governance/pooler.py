"""Is there a pooler in the way? One that shares sessions takes our locks away from us."""

from __future__ import annotations

from typing import Any

import psycopg

from queue_worker.database import connect
from queue_worker.errors import SettingsError
from queue_worker.settings import Settings
from queue_worker.statements import statement


def require_direct_connection(settings: Settings) -> None:
    """Refuse to hold locks through a pooler that gives each transaction another session.

    Raises:
        SettingsError: it does; names the variable that must point at the server itself.
        DatabaseUnreachable: no connection could be made.
    """
    if not shares_sessions(settings.direct_dsn, settings.connect_timeout):
        return
    raise SettingsError(
        "QUEUE_WORKER_DIRECT_URL",
        "goes through a pooler that shares sessions"
        if settings.direct_url
        else "is not set, but DATABASE_URL goes through a pooler that shares sessions",
        "Set it to a DSN of the server itself (PgBouncer listens on 6432, Postgres on 5432); "
        "DATABASE_URL may stay: clients that enqueue go on using it.",
    )


def shares_sessions(dsn: str, connect_timeout: float) -> bool:
    """Whether a connection is given another session while others are busy.

    Found out by what it does: while a second connection is in a transaction, does the first one
    keep its session? A pooler in session mode and a plain proxy pass.
    """
    name = "queue_worker check"
    with connect(dsn, name=name, connect_timeout=connect_timeout) as first:
        before = _session_id(first)
        with (
            connect(dsn, name=name, connect_timeout=connect_timeout) as second,
            second.transaction(),
        ):
            _session_id(second)
            return _session_id(first) != before


def _session_id(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    row = connection.execute(statement("read_session_id")).fetchone()
    return int(row[0]) if row else 0
