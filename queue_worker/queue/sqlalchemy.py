"""Enqueue in SQLAlchemy's transactions: connections and sessions, sync and async, any driver."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from queue_worker.statements import statement

if TYPE_CHECKING:
    import sqlalchemy


def is_sqlalchemy(connection: object) -> bool:
    """Whether it is one of SQLAlchemy's connections or sessions, without importing SQLAlchemy."""
    return any(base.__module__.startswith("sqlalchemy.") for base in type(connection).__mro__)


def driver_error(error: Exception) -> BaseException | None:
    """What the driver raised, if this is SQLAlchemy's wrapper of it, which quotes all values."""
    is_wrapper = is_sqlalchemy(error) and getattr(error, "orig", None) is not None
    found: BaseException | None = getattr(error, "orig", None) if is_wrapper else None
    return found


@cache
def enqueue_statement() -> sqlalchemy.TextClause:
    """The enqueue statement with SQLAlchemy's own placeholder, so that any driver takes it."""
    import sqlalchemy  # noqa: PLC0415  an optional library, loaded where it is used

    return sqlalchemy.text(statement("enqueue_jobs").replace("%(batch)s", ":batch"))
