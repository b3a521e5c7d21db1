"""What a check is: it looks at one thing, and says what it found or raises with the remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Literal

import psycopg

from queue_worker.errors import CheckFailed, QueueWorkerError
from queue_worker.governance.refusals import explain_refusal
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings
from queue_worker.statements import statement

Severity = Literal["fatal", "warning"]
Row = tuple[Any, ...]


class Moment(Enum):
    """When a check is made.

    Attributes:
        START: a command begins; only what is had by a look at the catalog.
        SERVE: a process begins that carries out runs.
        DEPLOY: `queue-worker check`.
        SCHEDULED: the job `queue_worker.validation`.
    """

    START = auto()
    SERVE = auto()
    DEPLOY = auto()
    SCHEDULED = auto()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a check looks at.

    Attributes:
        settings: those of this process.
        registry: the jobs that this process knows; None where it has loaded none.
        connection: straight to the server, in autocommit.
    """

    settings: Settings
    registry: JobRegistry | None
    connection: psycopg.Connection[Row]

    def read(self, name: str, **parameters: object) -> list[Row]:
        """The rows of `sql/queries/<name>.sql`."""
        return self.connection.execute(statement(name), parameters).fetchall()


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: what it is about; the same in the command, in logs and in alerts.
        look: says what it found.
        severity: fatal: with this a process must not start.
        moments: when it is made.

    `look` raises CheckFailed, another QueueWorkerError or psycopg.Error.
    """

    name: str
    look: Callable[[Surroundings], str]
    severity: Severity
    moments: frozenset[Moment]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: what was checked.
        ok: whether it is as it must be.
        message: what was found, and the remedy if it is not ok.
        exit_code: what a process that fails over it exits with; 0 if it may go on.
        severity: how bad it is if it is not ok.
    """

    name: str
    ok: bool
    message: str
    exit_code: int = 0
    severity: Severity = "fatal"


def carry_out(check: Check, surroundings: Surroundings) -> CheckResult:
    """Make one check."""
    return judge(check.name, lambda: check.look(surroundings), check.severity)


def judge(name: str, look: Callable[[], str], severity: Severity = "fatal") -> CheckResult:
    """What comes of a look."""
    try:
        return CheckResult(name, ok=True, message=look(), severity=severity)
    except QueueWorkerError as error:
        return failed(name, error, severity)
    except psycopg.Error as error:
        return failed(name, explain_refusal(error), severity)


def failed(name: str, error: QueueWorkerError, severity: Severity = "fatal") -> CheckResult:
    """The result of a check that raised."""
    if isinstance(error, CheckFailed) and error.is_fatal is not None:
        severity = "fatal" if error.is_fatal else "warning"
    code = error.exit_code if severity == "fatal" else 0
    return CheckResult(name, ok=False, message=str(error), exit_code=code, severity=severity)
