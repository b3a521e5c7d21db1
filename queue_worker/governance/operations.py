"""What an operator may do, for programs: each is one SQL function, the same as from psql.

All of them need to know who does it and why; what changes something is one row of the audit log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

from queue_worker.errors import OperationRefused
from queue_worker.statements import statement

Row = dict[str, Any]
Connection = psycopg.Connection[tuple[Any, ...]]
Kind = Literal["job", "queue"]

_REFUSALS = (  # what our functions raise, with a message and a remedy for people
    psycopg.errors.NoDataFound,
    psycopg.errors.InvalidParameterValue,
    psycopg.errors.ObjectNotInPrerequisiteState,
    psycopg.errors.LockNotAvailable,
)
_PASSING = (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.LockNotAvailable)
_UNSTORABLE = (psycopg.DataError, UnicodeEncodeError)  # a NUL character, half a surrogate pair


@dataclass(frozen=True, slots=True)
class Operator:
    """On whose behalf something is done.

    Attributes:
        actor: the name of the person.
        reason: why, in their words.
    """

    actor: str
    reason: str


def pause(connection: Connection, kind: Kind, name: str, by: Operator) -> str:
    """Stop the claims and the ticks of a job or of a queue; says `paused` or `already paused`.

    Raises:
        OperationRefused: nobody knows this name.
    """
    return str(_call(connection, f"pause_{kind}", by, name=name)[0]["what"])


def resume(connection: Connection, kind: Kind, name: str, by: Operator) -> str:
    """End a pause; says `resumed` or `not paused`."""
    return str(_call(connection, f"resume_{kind}", by, name=name)[0]["what"])


def retire_job(connection: Connection, name: str, by: Operator) -> str:
    """Say that a job was taken out of the code; says `retired` or `already retired`.

    Raises:
        OperationRefused: nobody knows this name, a living worker knows it, or something waits.
    """
    return str(_call(connection, "retire_job", by, name=name)[0]["what"])


def cancel_job(connection: Connection, queue_job_id: int, by: Operator) -> str:
    """Cancel a queued job for good; says `cancelled`, `asked to end` or `already asked to end`.

    Raises:
        OperationRefused: it is not there, or has ended.
    """
    return str(_call(connection, "cancel_job", by, queue_job_id=queue_job_id)[0]["what"])


def retry_job(
    connection: Connection, queue_job_id: int, by: Operator, *, although_succeeded: bool = False
) -> str:
    """Run a job that has ended once more; returns the id of that run.

    Raises:
        OperationRefused: it is not there, waits, runs, has succeeded, or another does its work.
    """
    rows = _call(
        connection,
        "retry_job",
        by,
        queue_job_id=queue_job_id,
        although_succeeded=although_succeeded,
    )
    return str(rows[0]["run_id"])


def requeue_lost(
    connection: Connection,
    by: Operator,
    *,
    job: str | None = None,
    within: timedelta = timedelta(days=1),
    at_most: int = 1000,
    dry_run: bool = False,
) -> list[Row]:
    """Run once more what was lost lately; a row for each, and what came of it."""
    return _call(
        connection, "requeue_lost", by, job=job, within=within, at_most=at_most, dry_run=dry_run
    )


def release_lock(connection: Connection, lock_key: str, by: Operator) -> str:
    """Free a lock key whose worker is gone; returns the id of the run that is lost.

    Raises:
        OperationRefused: nobody holds it, or its holder is alive.
    """
    return str(_call(connection, "release_lock_key", by, lock_key=lock_key)[0]["run_id"])


def _call(connection: Connection, query: str, by: Operator, **parameters: object) -> list[Row]:
    given = {"actor": by.actor, "reason": by.reason, **parameters}
    with refusals_explained(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement(query), given).fetchall()


@contextmanager
def refusals_explained() -> Iterator[None]:
    """What the functions refuse in this block, as one error with its remedy.

    Raises:
        OperationRefused: one of them did.
    """
    try:
        yield
    except _REFUSALS as error:
        problem, hint = error.diag.message_primary, error.diag.message_hint
        raise OperationRefused(
            str(problem), hint or "Try again.", is_passing=isinstance(error, _PASSING)
        ) from None
    except _UNSTORABLE:
        raise OperationRefused(
            "A value cannot be stored", "Give text without NUL, and numbers of 64 bits.",
            is_passing=False,
        ) from None  # fmt: skip
