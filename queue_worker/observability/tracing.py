"""Whether jobs are traced. Where they are not, OpenTelemetry is not even imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec

from queue_worker.errors import SettingsError
from queue_worker.settings import Settings

Trace = Mapping[str, str]


def trace_reader(settings: Settings) -> Callable[[], Trace | None]:
    """What tells the span that is current where it is called, as headers; None if there is none.

    Raises:
        SettingsError: jobs are to be traced, and the extra `otel` is not installed.
    """
    if not is_tracing(settings):
        return _no_trace
    from queue_worker.observability.spans import current_trace  # noqa: PLC0415  an extra

    return current_trace


def is_tracing(settings: Settings) -> bool:
    """Whether jobs are to be traced.

    Raises:
        SettingsError: they are, and the extra `otel` is not installed.
    """
    if settings.tracing and find_spec("opentelemetry") is None:
        raise SettingsError(
            "QUEUE_WORKER_TRACING",
            "is on, but OpenTelemetry is not installed",
            "Install queue-worker[otel], or switch it off.",
        )
    return settings.tracing


def _no_trace() -> None:
    return None
