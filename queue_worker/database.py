"""How queue_worker connects to Postgres: one place for time limits, names and clear errors."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from queue_worker.errors import DatabaseUnreachable

READ_ONLY = "the server only reads: it is a standby, or is no longer the primary"
NAME_BYTES = 63  # Postgres cuts a longer application_name off
_ALWAYS = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def describe_target(dsn: str) -> str:
    """Where a DSN points, for messages: host, port and database, never the password."""
    parts = conninfo_to_dict(dsn)
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    return f"{host}:{parts.get('port') or 5432}/{parts.get('dbname') or parts.get('user') or ''}"


def connection_arguments(
    dsn: str, name: str, connect_timeout: float, *, reads_only: bool = False
) -> dict[str, Any]:
    """What every connection of ours is opened with.

    Of several hosts the first that can be written to is taken, unless the DSN asks for another: a
    lock on a standby would keep nobody away from the primary.
    """
    given = conninfo_to_dict(dsn)
    wants_primary = not reads_only and "target_session_attrs" not in given
    return {
        **_ALWAYS,
        **({"target_session_attrs": "read-write"} if wants_primary else {}),
        "connect_timeout": max(2, round(connect_timeout)),  # for each host; libpq takes 1 for 2
        "application_name": name.encode()[:NAME_BYTES].decode(errors="ignore"),
    }


def connect(
    dsn: str, *, name: str, connect_timeout: float = 5.0, reads_only: bool = False
) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a blocking connection, in autocommit; a standby will do for one that only reads.

    Raises:
        DatabaseUnreachable: no connection could be made.
    """
    arguments = connection_arguments(dsn, name, connect_timeout, reads_only=reads_only)
    try:
        return psycopg.connect(dsn, autocommit=True, **arguments)
    except psycopg.OperationalError as error:
        raise unreachable(dsn, error) from None


async def connect_async(
    dsn: str, *, name: str, connect_timeout: float = 5.0
) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Open a connection for the event loop, in autocommit.

    Raises:
        DatabaseUnreachable: no connection could be made.
    """
    try:
        return await psycopg.AsyncConnection.connect(
            dsn, autocommit=True, **connection_arguments(dsn, name, connect_timeout)
        )
    except psycopg.OperationalError as error:
        raise unreachable(dsn, error) from None


def unreachable(dsn: str, error: Exception) -> DatabaseUnreachable:
    """The error for a connection that could not be made, without the DSN's password."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    problem = "; ".join(dict.fromkeys(lines)) or type(error).__name__
    password = conninfo_to_dict(dsn).get("password")
    if password:
        problem = problem.replace(str(password), "***")
    return DatabaseUnreachable(describe_target(dsn), problem)
