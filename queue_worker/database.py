"""How queue_worker connects to Postgres: one place for time limits, names and clear errors."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from queue_worker.errors import DatabaseUnreachable

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


def connection_arguments(name: str, connect_timeout: float) -> dict[str, Any]:
    """What every connection of ours is opened with."""
    return {
        **_ALWAYS,
        "connect_timeout": max(2, round(connect_timeout)),  # libpq takes 1 for 2
        "application_name": name.encode()[:NAME_BYTES].decode(errors="ignore"),
    }


def connect(
    dsn: str, *, name: str, connect_timeout: float = 5.0
) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a blocking connection, in autocommit.

    Raises:
        DatabaseUnreachable: no connection could be made.
    """
    try:
        return psycopg.connect(dsn, autocommit=True, **connection_arguments(name, connect_timeout))
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
            dsn, autocommit=True, **connection_arguments(name, connect_timeout)
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
