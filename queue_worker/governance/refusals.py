"""What an error of the database means, and what to do about it."""

from __future__ import annotations

import psycopg
from psycopg import errors as postgres

from queue_worker.errors import DatabaseError


def explain_refusal(error: psycopg.Error) -> DatabaseError:
    """What an error of the database means; never its detail, which quotes values."""
    problem = error.diag.message_primary
    match error:
        case postgres.InsufficientPrivilege():
            remedy = "Connect as a role that has this right, or have it granted to this one."
        case postgres.UndefinedTable() | postgres.UndefinedFunction() | postgres.UndefinedColumn():
            remedy = "Something that the migrations made is gone; restore it from a backup."
        case postgres.QueryCanceled():
            remedy = "Ask for less: one job, fewer hours, or a smaller limit."
        case psycopg.OperationalError() if problem is None:
            problem = "the connection broke"
            remedy = "Try again once it answers."
        case _:
            remedy = "Remove the cause and try again."
    return DatabaseError(f"The database refused: {problem or type(error).__name__}. {remedy}")
