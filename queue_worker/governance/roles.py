"""The roles of least privilege: made once, and granted again after each migration."""

from __future__ import annotations

from typing import Any

import psycopg

from queue_worker.errors import DatabaseError
from queue_worker.governance.refusals import explain_refusal
from queue_worker.schemas import renamed
from queue_worker.statements import roles_script, statement

Connection = psycopg.Connection[tuple[Any, ...]]


def make_roles(connection: Connection) -> dict[str, str]:
    """Make owner, worker, enqueuer and reader, hand our objects to the owner, and grant.

    Safe to run again: what is there stays, what was granted beside the matrix is taken away.
    Returns what each is called.

    Raises:
        DatabaseError: this role may not do that.
    """
    try:
        with connection.transaction():
            connection.execute(statement("fix_search_path"))
            connection.execute(roles_script())
    except psycopg.Error as error:
        raise _explain(error) from error
    return read_roles(connection)


def grant_again(connection: Connection) -> None:
    """The same after a migration, which may have made objects anew; nothing if there are no roles.

    Raises:
        DatabaseError: this role may not do that.
    """
    if read_roles(connection):
        make_roles(connection)


def read_roles(connection: Connection) -> dict[str, str]:
    """What each role is called; empty before `make_roles`."""
    exists = connection.execute(renamed("SELECT to_regclass('queue_worker.role')")).fetchone()
    if exists is None or exists[0] is None:
        return {}
    return dict(connection.execute(renamed("SELECT part, name FROM queue_worker.role")).fetchall())


def _explain(error: psycopg.Error) -> DatabaseError:
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return DatabaseError(
            f"The roles could not be made: {error.diag.message_primary}. Run `queue-worker migrate "
            "--roles` once as a superuser; later migrations as a member of the owner."
        )
    return explain_refusal(error)
