"""analytics_aggregator: events become one row a content and day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.errors import ContentError
from queue_worker.schedules import every
from queue_worker.schemas import schema_names
from queue_worker.statements import statement


async def aggregate_events(ctx: JobContext) -> None:
    """Recompute the days that got new events since the last run, each one whole.

    An event counts for the UTC day on which it occurred, however late it arrives. The days and the
    watermark are committed together, so a run that was interrupted is simply run again.

    Raises:
        ContentError: there is no watermark.
    """
    async with ctx.connection() as connection:
        seen, now_seen = await _read_watermark(connection)
        cursor = await connection.execute(statement("content_aggregate_days"), {"seen": seen})
        await connection.execute(statement("content_advance_watermark"), {"seen": now_seen})
    ctx.log.info("days.aggregated", days=cursor.rowcount)


async def _read_watermark(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> tuple[str, str]:
    cursor = await connection.execute(statement("content_read_watermark"))
    row = await cursor.fetchone()
    if row is None:
        raise ContentError(
            f"{schema_names().content}.aggregation_watermark is empty. "
            "Insert its row again, as the migration 0002_content_pipeline does."
        )
    seen, now_seen = row
    return seen, now_seen


job: JobDefinition[None] = JobDefinition(
    name="analytics_aggregator",
    function=aggregate_events,
    timeout=timedelta(minutes=10),
    schedule=every(minutes=5),
    owner="content-platform",
    runbook="docs/JOBS.md#analytics_aggregator",
)
