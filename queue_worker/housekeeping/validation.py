"""queue_worker.validation: what was fit to run in at the start may break later."""

from __future__ import annotations

from datetime import timedelta

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.governance.checks import validate
from queue_worker.schedules import cron


def validate_environment(ctx: JobContext) -> None:
    """Check the environment again; what has broken since the start fails this run."""
    validate(ctx.settings)
    ctx.log.info("environment.valid")


job: JobDefinition[None] = JobDefinition(
    name="queue_worker.validation",
    function=validate_environment,
    timeout=timedelta(minutes=2),
    schedule=cron("*/5 * * * *"),
    lock="queue_worker.validation",
    restartable=True,
    catch_up=0,
    owner="queue_worker",
    runbook="docs/VALIDATION.md",
)
