"""Is this environment fit to run in? One list of checks, each with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import errors as postgres

from queue_worker.database import connect, describe_target
from queue_worker.errors import DatabaseError, QueueWorkerError
from queue_worker.governance.migrations import check_migrations
from queue_worker.registry import load_registry
from queue_worker.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: what was checked.
        ok: whether it is as it must be.
        message: what was found, and the remedy if it is not ok.
        exit_code: what a process that fails over it exits with; 0 if it is ok.
    """

    name: str
    ok: bool
    message: str
    exit_code: int = 0


def check_environment(
    read_settings: Callable[[], Settings] = load_settings,
) -> Iterator[CheckResult]:
    """Check settings, registry, server and migrations, in this order.

    A check that rests on one that failed is left out.
    """
    try:
        settings = read_settings()
    except QueueWorkerError as error:
        yield _failed("settings", error)
        return
    yield CheckResult("settings", ok=True, message="the environment is well-formed")
    yield _check("registry", lambda: _load_registry(settings))
    reached = _check("database", lambda: _reach(settings))
    yield reached
    if reached.ok:
        yield _check("migrations", lambda: _compare_migrations(settings))


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


def _check(name: str, look: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(name, ok=True, message=look())
    except QueueWorkerError as error:
        return _failed(name, error)
    except psycopg.Error as error:
        return _failed(name, explain_refusal(error))


def _failed(name: str, error: QueueWorkerError) -> CheckResult:
    return CheckResult(name, ok=False, message=str(error), exit_code=error.exit_code)


def _load_registry(settings: Settings) -> str:
    return f"{settings.app} holds {len(load_registry(settings.app))} jobs"


def _reach(settings: Settings) -> str:
    with connect(
        settings.dsn, name="queue_worker check", connect_timeout=settings.connect_timeout
    ) as connection:
        version = connection.info.server_version // 10_000
    return f"PostgreSQL {version} answers at {describe_target(settings.dsn)}"


def _compare_migrations(settings: Settings) -> str:
    with connect(
        settings.direct_dsn, name="queue_worker check", connect_timeout=settings.connect_timeout
    ) as connection:
        check_migrations(connection)
    return "the database is at the level of this version"
