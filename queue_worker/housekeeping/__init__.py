"""The jobs of the queue itself: every worker knows them, whatever registry it serves.

Their names begin with `queue_worker.`, but for `retention`. Each is an ordinary job in a module of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from queue_worker.definitions import JobDefinition
from queue_worker.errors import SettingsError
from queue_worker.housekeeping import deliver_alerts, partitions, validation
from queue_worker.jobs import retention
from queue_worker.registry import JobRegistry, load_registry
from queue_worker.schedules import Schedule, cron, manual
from queue_worker.settings import Settings

QUEUE = "queue_worker"  # every worker serves it, whatever queues it was given
_JOBS: tuple[JobDefinition[Any], ...] = (
    deliver_alerts.job,
    partitions.job,
    retention.job,
    validation.job,
)

# They take no slot of a worker's concurrency: a receiver that hangs must not hold up a job. Each
# has a lock key, so that a worker runs at most so many beyond its concurrency.
WITHOUT_SLOT = frozenset({deliver_alerts.job.name})
# Jobs whose schedule is a setting: the field of Settings that says when; manual without it.
_SCHEDULES = {
    retention.job.name: "retention_schedule",
    validation.job.name: "validation_schedule",
}


def with_housekeeping(registry: JobRegistry, settings: Settings | None = None) -> JobRegistry:
    """These jobs and ours; a registry that holds ours already gains nothing.

    Args:
        registry: the jobs of a process.
        settings: they say when some of ours are due; without them these are manual.

    Raises:
        DefinitionError: a job of theirs has the name of one of ours.
        SettingsError: a setting is no schedule.
    """
    ours = [_scheduled(job, settings) for job in _JOBS if not _holds(registry, job)]
    return JobRegistry([*registry, *ours])


def with_own_queue(queues: Sequence[str]) -> tuple[str, ...]:
    """The queues that a worker serves: those it was given and ours; none still means all."""
    return tuple(dict.fromkeys([*queues, QUEUE])) if queues else ()


def load_jobs(reference: str, settings: Settings | None = None) -> JobRegistry:
    """Import the registry that `package.module:name` refers to, and add the jobs of the queue.

    Raises:
        RegistryError: it does not import, is no registry, or is empty.
        DefinitionError: a job of theirs has the name of one of ours.
        SettingsError: a setting is no schedule.
    """
    return with_housekeeping(load_registry(reference), settings)


def load_scheduled_jobs(settings: Settings) -> JobRegistry:
    """What a worker with these settings knows.

    Raises: as `load_jobs`.
    """
    return load_jobs(settings.app, settings)


def _holds(registry: JobRegistry, job: JobDefinition[Any]) -> bool:
    return job.name in registry and registry.get(job.name).function is job.function


def _scheduled(job: JobDefinition[Any], settings: Settings | None) -> JobDefinition[Any]:
    field = _SCHEDULES.get(job.name)
    if field is None or settings is None:
        return job
    return job.replace(schedule=_parse(field, getattr(settings, field)))


def _parse(field: str, text: str | None) -> Schedule:
    if text in {None, "manual"}:
        return manual()
    schedule = cron(str(text))
    if problem := schedule.problem():
        raise SettingsError(
            str(Settings.model_fields[field].alias),
            f"is refused: it {problem}",
            "Set it to five fields such as '*/5 * * * *', or to manual.",
        )
    return schedule
