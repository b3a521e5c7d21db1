"""Enqueue in SQLAlchemy's transactions: connections and sessions, sync and async, any driver."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from queue_worker.statements import statement

if TYPE_CHECKING:
    import sqlalchemy


def is_sqlalchemy(found: object) -> bool:
    """Whether it is something of SQLAlchemy's, without importing SQLAlchemy."""
    return _is_from("sqlalchemy.", found)


def is_async_sqlalchemy(connection: object) -> bool:
    """Whether it is one of SQLAlchemy's async connections or sessions."""
    return _is_from("sqlalchemy.ext.asyncio.", connection)


def is_session(connection: object) -> bool:
    """Whether it is a session, which would flush what is pending before a statement."""
    return hasattr(connection, "no_autoflush")


def driver_error(error: BaseException) -> BaseException | None:
    """What the driver raised, if this is SQLAlchemy's wrapper of it (which quotes all values)."""
    found: BaseException | None = getattr(error, "orig", None) if is_sqlalchemy(error) else None
    return found


@cache
def named_statement(name: str) -> sqlalchemy.TextClause:
    """A statement with SQLAlchemy's own placeholders, so that any driver takes it."""
    import sqlalchemy  # noqa: PLC0415  an optional library, loaded where it is used

    return sqlalchemy.text(re.sub(r"%\((\w+)\)s", r":\1", statement(name)))


def _is_from(package: str, found: object) -> bool:
    return any(f"{base.__module__}.".startswith(package) for base in type(found).__mro__)
