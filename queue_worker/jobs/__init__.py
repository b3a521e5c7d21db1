"""The first-party jobs, as a registry that another one can include."""

from __future__ import annotations

from queue_worker.jobs import (
    analytics_aggregator,
    insight_engine,
    regeneration_worker,
    retry_executor,
    signal_generator,
)
from queue_worker.registry import JobRegistry

first_party = JobRegistry(
    [
        analytics_aggregator.job,
        signal_generator.job,
        insight_engine.job,
        regeneration_worker.job,
        retry_executor.job,
    ]
)
registry = first_party

__all__ = ["first_party", "registry"]
