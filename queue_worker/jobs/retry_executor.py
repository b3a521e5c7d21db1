"""retry_executor: carries out the retries that an administrator approved, and no others."""

from __future__ import annotations

from datetime import timedelta

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.schedules import every
from queue_worker.statements import statement


async def carry_out_retries(ctx: JobContext) -> None:
    """Make failed requests with an approved retry wait again for regeneration_worker."""
    async with ctx.connection() as connection:
        cursor = await connection.execute(statement("content_carry_out_retries"))
    ctx.log.info("retries.carried_out", requests=cursor.rowcount)


job: JobDefinition[None] = JobDefinition(
    name="retry_executor",
    function=carry_out_retries,
    timeout=timedelta(minutes=2),
    schedule=every(minutes=10),
    owner="content-platform",
    runbook="docs/JOBS.md#retry_executor",
)
