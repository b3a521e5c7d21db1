"""The jobs of the queue itself: every worker knows them, whatever registry it serves.

Their names begin with `queue_worker.`. Each is an ordinary job in a module of its own here.
"""

from __future__ import annotations

from typing import Any

from queue_worker.definitions import JobDefinition
from queue_worker.errors import SettingsError
from queue_worker.housekeeping import validation
from queue_worker.registry import JobRegistry, load_registry
from queue_worker.schedules import Schedule, cron, manual
from queue_worker.settings import Settings

_JOBS: tuple[JobDefinition[Any], ...] = (validation.job,)
_SCHEDULES = {validation.job.name: "validation_schedule"}  # the field of Settings that says when


def with_housekeeping(registry: JobRegistry) -> JobRegistry:
    """These jobs and ours; a registry that holds ours already gains nothing.

    Raises:
        DefinitionError: a job of theirs has the name of one of ours.
    """
    ours = [job for job in _JOBS if not _holds(registry, job)]
    return JobRegistry([*registry, *ours])


def with_schedules(registry: JobRegistry, settings: Settings) -> JobRegistry:
    """The same registry, with the schedules that the settings give to our jobs.

    Raises:
        SettingsError: a setting is no schedule.
    """
    return JobRegistry(_scheduled(job, settings) for job in registry)


def load_jobs(reference: str) -> JobRegistry:
    """Import the registry that `package.module:name` refers to, and add the jobs of the queue.

    Raises:
        RegistryError: it does not import, is no registry, or is empty.
        DefinitionError: a job of theirs has the name of one of ours.
    """
    return with_housekeeping(load_registry(reference))


def load_scheduled_jobs(settings: Settings) -> JobRegistry:
    """What a worker with these settings knows.

    Raises: as `load_jobs` and `with_schedules`.
    """
    return with_schedules(load_jobs(settings.app), settings)


def _holds(registry: JobRegistry, job: JobDefinition[Any]) -> bool:
    return job.name in registry and registry.get(job.name).function is job.function


def _scheduled(job: JobDefinition[Any], settings: Settings) -> JobDefinition[Any]:
    field = _SCHEDULES.get(job.name)
    return job if field is None else job.replace(schedule=_parse(field, getattr(settings, field)))


def _parse(field: str, text: str) -> Schedule:
    if text == "manual":
        return manual()
    schedule = cron(text)
    if problem := schedule.problem():
        raise SettingsError(
            str(Settings.model_fields[field].alias),
            f"is refused: it {problem}",
            "Set it to five fields such as '*/5 * * * *', or to manual.",
        )
    return schedule
