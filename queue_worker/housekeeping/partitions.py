"""queue_worker.make_partitions: a partition for the events of each coming month."""

from __future__ import annotations

from datetime import timedelta

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.schedules import cron
from queue_worker.statements import statement

MONTHS_AHEAD = 4  # this month included
_PREPARATION = "SET LOCAL lock_timeout = '2s'"  # writers wait behind whoever waits for a table


async def make_partitions(ctx: JobContext) -> None:
    """Make the partitions of the coming months; it fails, and so alerts, when it can't."""
    async with ctx.connection() as connection:
        await connection.execute(_PREPARATION)
        cursor = await connection.execute(
            statement("retention_make_partitions"), {"months": MONTHS_AHEAD}
        )
        row = await cursor.fetchone()
    ctx.log.info("partitions.made", partitions=row[0] if row else 0)


job: JobDefinition[None] = JobDefinition(
    name="queue_worker.make_partitions",
    function=make_partitions,
    timeout=timedelta(minutes=5),
    schedule=cron("10 2 * * *"),
    queue="queue_worker",
    restartable=True,
    owner="platform",
    runbook="docs/RETENTION.md#partitions",
)
