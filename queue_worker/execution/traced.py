"""The runner of a process that traces: each run is a span."""

from __future__ import annotations

from typing import Any

from queue_worker.definitions import JobDefinition
from queue_worker.execution.execution import Execution
from queue_worker.execution.run import EndedRun
from queue_worker.execution.runner import Runner
from queue_worker.observability.spans import current_trace, end_span, start_span


class TracedRunner(Runner):
    """Carries out runs as Runner does, each within a span."""

    async def _execute(self, job: JobDefinition[Any], execution: Execution) -> EndedRun:
        span = start_span(execution.claim)
        execution.claim.trace = current_trace()  # a child process goes on from here
        ended = await super()._execute(job, execution)
        end_span(span, ended)
        return ended
