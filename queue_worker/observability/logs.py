"""Log lines: structured, for people or for programs, on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Protocol

import structlog

from queue_worker.settings import Settings


class Run(Protocol):
    """The run that a line is about."""

    @property
    def facts(self) -> dict[str, Any]: ...


current_run: ContextVar[Run | None] = ContextVar("current_run", default=None)


def configure_logs(settings: Settings) -> None:
    """Send our lines and those of standard `logging` to standard error, in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_current_run,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_level(settings)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_level(settings))
    logging.getLogger("procrastinate").setLevel(logging.WARNING)  # we say it ourselves


def _add_current_run(
    _: object, __: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """What a job says carries the facts of its run; they are put together only for a line."""
    run = current_run.get()
    return line if run is None else {**run.facts, **line}


def _level(settings: Settings) -> int:
    return logging.getLevelNamesMapping()[settings.log_level.upper()]
