"""What every command needs: settings, the registry, a database that is ready."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import psycopg
import typer

from queue_worker.database import connect
from queue_worker.errors import ArgumentsError
from queue_worker.governance.checks import CheckResult, Moment, Surroundings, require_fit
from queue_worker.governance.reports import limit_reading
from queue_worker.settings import Settings, load_settings, split_at_commas

READING_SECONDS = 10.0  # what a statement of a command that only reads may take

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="The name of the job.")]
Arguments = Annotated[
    str | None,
    typer.Option(
        "--args", metavar="JSON", help="Its arguments, an object; - reads standard input."
    ),
]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of the command.

    Attributes:
        app: the registry that was named on the command line, if any.
    """

    app: str | None

    def settings(self, **overrides: object) -> Settings:
        """The settings; what the command line says wins.

        Raises:
            SettingsError: a variable is missing or malformed.
        """
        return load_settings(app=self.app, **overrides)

    @property
    def known_settings(self) -> Settings | None:
        """The settings; None where no database is named, for what needs none.

        Raises:
            SettingsError: another variable is missing or malformed.
        """
        return self.settings() if os.environ.get("DATABASE_URL") else None

    @property
    def registry_path(self) -> str:
        """Where the registry is; no other setting is needed to know that."""
        default: str = Settings.model_fields["app"].default
        return self.app or os.environ.get("QUEUE_WORKER_APP") or default

    @property
    def plugins(self) -> tuple[str, ...]:
        """The plugins that are asked for; no other setting is needed to know that."""
        return split_at_commas(os.environ.get("QUEUE_WORKER_PLUGINS", ""))


@contextmanager
def ready_database(
    settings: Settings,
    moment: Moment = Moment.START,
    on_warning: Callable[[CheckResult], None] = lambda _: None,
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection to a database that is fit for what begins now.

    Raises:
        DatabaseUnreachable: the server does not answer.
        QueueWorkerError: a check that is fatal at the start has failed.
    """
    with _connection(settings) as connection:
        for warning in require_fit(Surroundings(settings, None, connection), moment):
            on_warning(warning)
        yield connection


@contextmanager
def readable_database(
    settings: Settings, seconds: float | None = None
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """The same for a command that only reads: it can change nothing, and takes no statement longer.

    The role of a reader is enough, and so is a standby.

    Raises:
        DatabaseUnreachable: the server does not answer.
        MigrationError: the database is not at this level.
    """
    with _connection(settings, reads_only=True) as connection:
        limit_reading(connection, seconds or READING_SECONDS)  # the checks wait no longer either
        require_fit(Surroundings(settings, None, connection), Moment.START)
        yield connection


def _connection(
    settings: Settings, *, reads_only: bool = False
) -> psycopg.Connection[tuple[Any, ...]]:
    return connect(
        settings.direct_dsn,
        name="queue_worker cli",
        connect_timeout=settings.connect_timeout,
        reads_only=reads_only,
    )


def parse_arguments(job: str, text: str | None) -> dict[str, Any] | None:
    """The arguments that were given as JSON on the command line.

    Raises:
        ArgumentsError: they are no JSON object.
    """
    if text is None:
        return None
    try:
        found = json.loads(sys.stdin.buffer.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        problem = f"they are no JSON ({error})"
        raise ArgumentsError(job, [problem], """Give an object, such as '{"id": 1}'.""") from None
    if not isinstance(found, dict):
        raise ArgumentsError(job, ["they are no object"], """Give one, such as '{"id": 1}'.""")
    return found
