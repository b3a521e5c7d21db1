"""Spans of OpenTelemetry's: the one that enqueues a job travels with it, and each run is one.

Which are kept and where they go is for the process to say, as with any library: by OpenTelemetry's
SDK; what goes wrong there is logged and changes no outcome. Only W3C Trace Context travels. Baggage
does not: it would stand in the queue for all to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog
from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from queue_worker.observability.observer import ObservedRun
from queue_worker.observability.tracing import Trace

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

_FLUSH_MS = 1_000  # what a child waits for its spans to be sent: it may be killed at any time
_headers = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("queue_worker")


class TracedRun(Protocol):
    """What a span says of a run that starts; never its arguments."""

    @property
    def job(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def run_id(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def trace(self) -> Trace | None: ...


def current_trace() -> Trace | None:
    """The span that is current here, as headers; None where there is none."""
    headers: dict[str, str] = {}
    _headers.inject(headers)
    return headers or None


def start_span(run: TracedRun) -> trace.Span:
    """Begin the span of a run, a child of the one that enqueued its job; current in this task."""
    try:
        span = _tracer.start_span(
            f"run {run.job}",
            context=_headers.extract(run.trace or {}, context.Context()),
            kind=trace.SpanKind.CONSUMER,
            attributes={
                "messaging.system": "queue_worker",
                "messaging.operation.name": "run",
                "messaging.operation.type": "process",
                "messaging.destination.name": run.queue,
                "messaging.message.id": run.run_id,
                "queue_worker.job": run.job,
                "queue_worker.attempt": run.attempt,
            },
        )
    except Exception:
        log.exception("observer.failed", job=run.job)
        span = trace.INVALID_SPAN
    context.attach(trace.set_span_in_context(span))  # for the rest of this task
    return span


def end_span(span: trace.Span, ended: ObservedRun) -> None:
    """Say how its run has ended."""
    try:
        span.set_attribute("queue_worker.outcome", str(ended.outcome))
        if ended.is_failure:
            span.set_attribute("error.type", ended.error_class or "unknown")
            span.set_status(trace.StatusCode.ERROR, ended.facts.get("error_message"))
        span.end()
    except Exception:
        log.exception("observer.failed", job=ended.job)


@contextmanager
def continued(headers: Trace) -> Iterator[None]:
    """In a child process: what is traced within the block belongs to the span of the run."""
    token = context.attach(_headers.extract(headers, context.Context()))
    try:
        yield
    finally:
        context.detach(token)
        _flush()


def _flush() -> None:
    try:
        flush = getattr(trace.get_tracer_provider(), "force_flush", None)  # the SDK's has one
        if flush is not None:
            flush(_FLUSH_MS)
    except Exception:
        log.exception("observer.failed")
