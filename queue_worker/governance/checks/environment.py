"""Is this environment fit to run in?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import structlog

from queue_worker.database import connect, describe_target
from queue_worker.errors import EnvironmentInvalid, QueueWorkerError
from queue_worker.governance.checks.catalogue import CHECKS
from queue_worker.governance.checks.check import (
    CheckResult,
    Moment,
    Row,
    Surroundings,
    carry_out,
    failed,
    judge,
)
from queue_worker.governance.refusals import explain_refusal
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings, load_settings

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

_NAME = "queue_worker check"


def check_environment(
    load_jobs: Callable[[Settings], JobRegistry],
    read_settings: Callable[[], Settings] = load_settings,
    moment: Moment = Moment.DEPLOY,
) -> Iterator[CheckResult]:
    """Check settings, registry and database, then all that this moment asks for.

    A check that rests on one that failed is left out.
    """
    try:
        settings = read_settings()
    except QueueWorkerError as error:
        yield failed("settings", error)
        return
    yield CheckResult("settings", ok=True, message="the environment is well-formed")
    loaded: list[JobRegistry] = []
    yield judge("registry", lambda: _load(settings, load_jobs, loaded))
    registry = loaded[0] if loaded else None
    reached = judge("database", lambda: _reach(settings))
    yield reached
    if reached.ok:
        with _connect(settings) as connection:
            yield from check_database(Surroundings(settings, registry, connection), moment)


def check_database(at: Surroundings, moment: Moment) -> Iterator[CheckResult]:
    """What this moment asks for; where the migrations do not fit, nothing that rests on them."""
    for check in CHECKS:
        if moment in check.moments:
            result = carry_out(check, at)
            yield result
            if check.name == "migrations" and not result.ok:
                return


def require_fit(at: Surroundings, moment: Moment) -> list[CheckResult]:
    """Refuse to start where a check that is fatal fails; returns the warnings.

    A role that may only enqueue can't look; what is missing will refuse what it does.

    Raises:
        QueueWorkerError: what the first of these has raised.
    """
    if moment is Moment.START and _may_only_enqueue(at):
        return []
    warnings = []
    for check in (check for check in CHECKS if moment in check.moments):
        try:
            check.look(at)
        except (QueueWorkerError, psycopg.Error) as error:
            known = explain_refusal(error) if isinstance(error, psycopg.Error) else error
            result = failed(check.name, known, check.severity)
            if result.exit_code:
                raise known from None
            warnings.append(result)
    return warnings


def log_warning(result: CheckResult) -> None:
    """Say what a worker that starts should know, although it may start."""
    log.warning("environment.warning", check=result.name, problem=result.message)


def validate(settings: Settings) -> None:
    """Look again at all that may break while the fleet works.

    What the fleet knows is what its workers have said at their start, plugins included.

    Raises:
        EnvironmentInvalid: something has; names every check that failed.
        DatabaseUnreachable: the database does not answer.
    """
    with _connect(settings) as connection:
        at = Surroundings(settings, None, connection)
        results = list(check_database(at, Moment.SCHEDULED))
    if broken := {result.name: result.message for result in results if not result.ok}:
        raise EnvironmentInvalid(broken)


def _load(
    settings: Settings, load_jobs: Callable[[Settings], JobRegistry], loaded: list[JobRegistry]
) -> str:
    registry = load_jobs(settings)
    loaded.append(registry)
    return f"{settings.app} gives {len(registry)} jobs"


def _may_only_enqueue(at: Surroundings) -> bool:
    return bool(at.read("may_only_enqueue")[0][0])


def _reach(settings: Settings) -> str:
    for dsn in dict.fromkeys((settings.dsn, settings.direct_dsn)):
        connect(dsn, name=_NAME, connect_timeout=settings.connect_timeout).close()
    return f"a server answers at {describe_target(settings.dsn)}"


def _connect(settings: Settings) -> psycopg.Connection[Row]:
    connection = connect(settings.direct_dsn, name=_NAME, connect_timeout=settings.connect_timeout)
    connection.execute("SET statement_timeout = '30s'")  # what one check may take
    return connection
