"""pgqueuer's connections: psycopg's or asyncpg's."""

from __future__ import annotations

from typing import Any

import asyncpg
import psycopg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from psycopg.conninfo import conninfo_to_dict


async def open_driver(kind: str, dsn: str) -> Any:
    """A driver of this kind with a connection of its own."""
    if kind == "psycopg":
        return PsycopgDriver(await psycopg.AsyncConnection.connect(dsn, autocommit=True))
    return AsyncpgDriver(await asyncpg.connect(**_parts(dsn)))


async def close_driver(driver: Any) -> None:
    """End its connection."""
    await driver._connection.close()


def _parts(dsn: str) -> dict[str, Any]:
    """A DSN of libpq as the keywords of asyncpg, which reads fewer forms of it."""
    found = conninfo_to_dict(dsn)
    names = {"host": "host", "port": "port", "user": "user", "password": "password"}
    return {"database": found.get("dbname")} | {
        ours: found[theirs] for theirs, ours in names.items() if found.get(theirs)
    }
