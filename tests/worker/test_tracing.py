"""The span that enqueues a job travels with it, and each run is a span; off, nothing of it is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from queue_worker import EnqueueRequest, QueueClient, Settings, SyncQueueClient, load_settings
from queue_worker.errors import SettingsError
from queue_worker.testing import QueueHarness
from tests.support.eventually import eventually
from tests.support.processes import environment, worker_process
from tests.support.traced_jobs import registry, traced, traced_failing, traced_plain

JOBS = "tests.support.traced_jobs:registry"
Exporter = InMemorySpanExporter


@pytest.fixture(scope="session")
def provider() -> TracerProvider:
    """OpenTelemetry takes one for each process, and keeps it."""
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    return provider


@pytest.fixture
def spans(provider: TracerProvider) -> Iterator[Exporter]:
    exporter = InMemorySpanExporter()
    processor = SimpleSpanProcessor(exporter)
    provider.add_span_processor(processor)
    yield exporter
    processor.shutdown()


@pytest.fixture
def tracing(settings: Settings) -> Settings:
    return settings.model_copy(update={"tracing": True})


async def test_a_run_is_a_span_in_the_trace_that_enqueued_it(
    tracing: Settings, spans: Exporter, connection: psycopg.Connection[Any]
) -> None:
    with trace.get_tracer("web").start_as_current_span("request") as request:
        token = context.attach(baggage.set_baggage("customer", "secret"))
        async with QueueClient(registry, tracing) as client:
            await client.enqueue_many([EnqueueRequest(job=traced), EnqueueRequest(job=traced)])
        context.detach(token)
    rows = connection.execute("SELECT queue_worker_trace FROM procrastinate_jobs").fetchall()
    assert [set(row[0]) for row in rows] == [{"traceparent"}] * 2  # and no baggage

    with QueueHarness(registry, tracing) as queue:
        runs = await queue.run_enqueued_async()
    found = {span.attributes["messaging.message.id"]: span for span in spans.get_finished_spans()
             if span.name == "run traced" and span.attributes}  # fmt: skip
    assert set(found) == {run.claim.run_id for run in runs}
    for span in found.values():
        assert span.parent is not None
        assert span.parent.span_id == request.get_span_context().span_id
        assert span.context.trace_id == request.get_span_context().trace_id
        assert span.kind is trace.SpanKind.CONSUMER
        assert span.status.is_ok
        assert span.attributes["queue_worker.outcome"] == "succeeded"
    insides = [span for span in spans.get_finished_spans() if span.name == "inside"]
    assert {span.parent and span.parent.span_id for span in insides} == {
        span.context.span_id for span in found.values()
    }


def test_each_attempt_is_a_span_and_says_what_went_wrong(
    tracing: Settings, spans: Exporter
) -> None:
    with QueueHarness(registry, tracing) as queue:
        with trace.get_tracer("web").start_as_current_span("request") as request:
            queue.enqueue(traced_failing)
        queue.run_enqueued()
    runs = [span for span in spans.get_finished_spans() if span.name == "run traced_failing"]
    assert [span.attributes["queue_worker.attempt"] for span in runs] == [1, 2]
    for span in runs:
        assert span.context.trace_id == request.get_span_context().trace_id
        assert span.attributes["error.type"] == "ConnectionError"
        assert (span.status.status_code, span.status.description) == (
            trace.StatusCode.ERROR,
            "nobody there",
        )


def test_what_nobody_traced_begins_a_trace_of_its_own(
    tracing: Settings, spans: Exporter, connection: psycopg.Connection[Any]
) -> None:
    with QueueHarness(registry, tracing) as queue:
        connection.execute("SELECT queue_worker.enqueue('traced')")
        with trace.get_tracer("worker").start_as_current_span("around the worker"):
            queue.run_enqueued()
    (run,) = [span for span in spans.get_finished_spans() if span.name == "run traced"]
    assert run.parent is None


def test_a_worker_and_its_child_processes_go_on_with_the_trace(
    database: str, tracing: Settings, provider: TracerProvider, tmp_path: Path
) -> None:
    file = tmp_path / "spans"
    file.touch()
    env = environment(
        database, QUEUE_WORKER_APP=JOBS, QUEUE_WORKER_TRACING="1", TEST_SPANS=str(file)
    )
    with (
        worker_process(env) as worker,
        SyncQueueClient(registry, tracing) as client,
        trace.get_tracer("web").start_as_current_span("request") as request,
    ):
        client.enqueue(traced_plain)
        eventually(lambda: "inside the child" in file.read_text())
        assert worker.stop() == 0
    found = {span["name"]: span for span in map(json.loads, file.read_text().splitlines())}
    run, inside = found["run traced_plain"], found["inside the child"]
    assert int(run["parent_id"], 16) == request.get_span_context().span_id
    assert inside["parent_id"] == run["context"]["span_id"]
    assert inside["context"]["trace_id"] == run["context"]["trace_id"]


class Broken(SpanProcessor):
    """Refuses the spans of runs, at their start or at their end."""

    at = ""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._refuse(span, "start")

    def on_end(self, span: Any) -> None:
        self._refuse(span, "end")

    def _refuse(self, span: Any, at: str) -> None:
        if self.at == at and span.name.startswith("run "):
            raise RuntimeError("no more spans")


@pytest.mark.parametrize("at", ["start", "end"])
def test_a_tracer_that_is_broken_changes_no_outcome(
    tracing: Settings, provider: TracerProvider, at: str
) -> None:
    broken = Broken()
    provider.add_span_processor(broken)
    broken.at = at
    with QueueHarness(registry, tracing) as queue:
        queue.enqueue(traced)
        assert [run.outcome for run in queue.run_enqueued()] == ["succeeded"]
    broken.at = ""


def test_off_nothing_is_stored_started_or_imported(
    settings: Settings,
    tracing: Settings,
    spans: Exporter,
    connection: psycopg.Connection[Any],
    database: str,
) -> None:
    with QueueHarness(registry, settings) as queue:
        with trace.get_tracer("web").start_as_current_span("request"):
            queue.enqueue(traced)
        queue.run_enqueued()
    assert connection.execute("SELECT queue_worker_trace FROM procrastinate_jobs").fetchone() == (
        None,
    )
    assert {span.name for span in spans.get_finished_spans()} == {"request", "inside"}
    with (
        SyncQueueClient(registry, tracing) as client,
        trace.get_tracer("web").start_as_current_span("another request"),
    ):
        client.enqueue(traced_plain)
    with QueueHarness(registry, settings) as queue:  # a worker that does not trace leaves it alone
        assert [run.outcome for run in queue.run_enqueued()] == ["succeeded"]
    assert not [span for span in spans.get_finished_spans() if span.name.startswith("run ")]
    script = (
        "import sys, queue_worker.cli, queue_worker.worker.process as p;"
        "from queue_worker import *; from tests.support.jobs import registry;"
        "s = load_settings(); p.Station(registry, s, on_closed=print, on_disowned=print);"
        "SyncQueueClient(registry, s);"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    subprocess.run(
        [sys.executable, "-c", script], env=environment(database), check=True, timeout=60
    )


def test_on_without_the_extra_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.setattr("queue_worker.observability.tracing.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"Install queue-worker\[otel\]"):
        SyncQueueClient(registry, load_settings(database_url=database, tracing=True))
