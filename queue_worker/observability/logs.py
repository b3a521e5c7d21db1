"""Log lines: structured, for people or for programs, on standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Protocol

import structlog

from queue_worker.observability.guard import guard, guard_terminal
from queue_worker.observability.redaction import register_secrets
from queue_worker.settings import Settings


class Run(Protocol):
    """The run that a line is about."""

    @property
    def facts(self) -> dict[str, Any]: ...


current_run: ContextVar[Run | None] = ContextVar("current_run", default=None)
_process: dict[str, Any] = {}


def configure_logs(settings: Settings) -> None:
    """Send our lines and those of standard `logging` to standard error, in one form.

    Whatever the caller says, no line holds a secret, is without bounds or steers a terminal.
    """
    register_secrets(settings.secrets)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_facts,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if settings.log_format == "json"
        else [guard_terminal, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_level(settings)),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # the renderer's own would show variables
                guard,
                *rendering,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_level(settings))
    # Below that it says of each job what we say ourselves, with its arguments.
    logging.getLogger("procrastinate").setLevel(max(logging.WARNING, _level(settings)))


def bind_process(**facts: object) -> None:
    """From now on every line of this process carries these."""
    _process.update(facts)


def process_facts() -> dict[str, Any]:
    """What every line of this process carries."""
    return dict(_process)


class _Handler(logging.StreamHandler[Any]):
    """A line that can't be formatted is at least told of; logging's own remark is no such line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        problem = sys.exc_info()[0]
        said = {
            "event": "log.unreadable",
            "level": "error",
            "logger": record.name,
            "at": f"{record.filename}:{record.lineno}",
            "problem": problem.__name__ if problem else None,
        }
        with contextlib.suppress(OSError, ValueError):  # there is nobody to be told
            self.stream.write(json.dumps(said) + "\n")
            self.flush()


def _add_facts(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What a job says carries the facts of its run; they are put together only for a line."""
    run = current_run.get()
    return {**_process, **line} if run is None else {**_process, **run.facts, **line}


def _level(settings: Settings) -> int:
    return logging.getLevelNamesMapping()[settings.log_level.upper()]
