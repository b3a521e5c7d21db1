"""Jobs that trace: their process sends its spans to a file, as an exporter would over the network."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from queue_worker import JobContext, JobRegistry, RetryPolicy

registry = JobRegistry()
TEN = timedelta(seconds=10)


class _FileExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with Path(os.environ["TEST_SPANS"]).open("a") as file:
            file.writelines(json.dumps(json.loads(span.to_json())) + "\n" for span in spans)
        return SpanExportResult.SUCCESS


if "TEST_SPANS" in os.environ:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_FileExporter(), schedule_delay_millis=60_000))
    trace.set_tracer_provider(provider)
tracer = trace.get_tracer("jobs")


@registry.job("traced", timeout=TEN)
async def traced(ctx: JobContext) -> None:
    with tracer.start_as_current_span("inside"):
        pass


@registry.job("traced_plain", timeout=TEN)
def traced_plain(ctx: JobContext) -> None:
    with tracer.start_as_current_span("inside the child"):
        pass


@registry.job("traced_failing", timeout=TEN, retry=RetryPolicy(2, wait=timedelta(0)))
async def traced_failing(ctx: JobContext) -> None:
    raise ConnectionError("nobody there")
