"""insight_engine: signals become suggestions that a person decides on."""

from __future__ import annotations

from datetime import timedelta

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.schedules import every
from queue_worker.statements import statement


async def open_suggestions(ctx: JobContext) -> None:
    """Open at most one suggestion a content and kind, with the signals that led to it."""
    async with ctx.connection() as connection:
        cursor = await connection.execute(statement("content_open_suggestions"))
    ctx.log.info("suggestions.opened", suggestions=cursor.rowcount)


job: JobDefinition[None] = JobDefinition(
    name="insight_engine",
    function=open_suggestions,
    timeout=timedelta(minutes=5),
    schedule=every(hours=1),
    owner="content-platform",
    runbook="docs/JOBS.md#insight_engine",
)
