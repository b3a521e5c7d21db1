"""signal_generator: contents that got worse, told apart from noise.

The last 7 full UTC days of a content are compared with the 28 before. A signal needs three things
at once: enough samples, a change that matters, and one that chance does not explain (it is at
least 4 standard errors).

| kind               | what is compared | what matters      | samples, 7 / 28 days | test          |
|--------------------|------------------|-------------------|----------------------|---------------|
| falling_engagement | learners a day   | falls by 30 %     | any / 100 learners   | z of the mean |
| falling_completion | completions/view | falls by 25 %     | 50 / 200 views       | arcsine       |
| falling_score      | mean score       | falls by 10 %     | 20 / 80 scores       | Welch         |
| unusual_drop_off   | drop-offs/view   | rises by 5 points | 50 / 200 views       | arcsine       |
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.schedules import every
from queue_worker.statements import statement

# By chance alone, 4 standard errors to the worse side are passed once in 30,000 times: with 40
# contents of four kinds each about once in half a year, and then the change must matter as well.
THRESHOLDS = MappingProxyType(
    {
        "least_z_score": 4,
        "least_engagement_fall": Decimal("0.30"),
        "least_learners": 100,
        "least_completion_fall": Decimal("0.25"),
        "least_drop_off_rise": Decimal("0.05"),
        "least_window_views": 50,
        "least_baseline_views": 200,
        "least_score_fall": Decimal("0.10"),
        "least_window_scores": 20,
        "least_baseline_scores": 80,
    }
)


class SignalArgs(BaseModel):
    """What to look at.

    Attributes:
        as_of: the day after the last one observed; None means today, by the database's clock.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: date | None = None


async def detect_signals(ctx: JobContext, args: SignalArgs) -> None:
    """Write down which contents got worse in the last 7 days, and withdraw what no longer holds."""
    async with ctx.connection() as connection:
        cursor = await connection.execute(
            statement("content_detect_signals"), {**THRESHOLDS, "as_of": args.as_of}
        )
    ctx.log.info("signals.detected", signals=cursor.rowcount)


job: JobDefinition[SignalArgs] = JobDefinition(
    name="signal_generator",
    function=detect_signals,
    args=SignalArgs,
    timeout=timedelta(minutes=5),
    schedule=every(minutes=15),
    owner="content-platform",
    runbook="docs/JOBS.md#signal_generator",
)
