"""The jobs of the queue itself: every worker knows them, whatever registry it serves.

Their names begin with `queue_worker.`, but for `retention`. Each is an ordinary job in a module of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from queue_worker.definitions import JobDefinition
from queue_worker.errors import DefinitionError, PluginError, SettingsError
from queue_worker.housekeeping import deliver_alerts, partitions, validation
from queue_worker.jobs import retention
from queue_worker.plugins import JOBS, load_plugin
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
    return JobRegistry([*registry, *_ours(registry, settings)])


def with_own_queue(queues: Sequence[str]) -> tuple[str, ...]:
    """The queues that a worker serves: those it was given and ours; none still means all."""
    return tuple(dict.fromkeys([*queues, QUEUE])) if queues else ()


def load_jobs(
    reference: str, plugins: Sequence[str], settings: Settings | None = None
) -> JobRegistry:
    """The jobs that a process knows, wherever they come from.

    Raises: as `load_sources`.
    """
    sources = load_sources(reference, plugins, settings)
    return JobRegistry(job for jobs in sources.values() for job in jobs)


def load_scheduled_jobs(settings: Settings) -> JobRegistry:
    """What a worker with these settings knows.

    Raises: as `load_sources`.
    """
    return load_jobs(settings.app, settings.plugins, settings)


def load_sources(
    reference: str, plugins: Sequence[str], settings: Settings | None = None
) -> dict[str, list[JobDefinition[Any]]]:
    """The jobs that a process knows, by where they come from, each once.

    Args:
        reference: the registry to import, as `package.module:name`.
        plugins: the entry points of other packages whose jobs are wanted.
        settings: they say when some of the queue's own are due; without them these are manual.

    Raises:
        RegistryError: the registry does not import, is none, or is empty.
        PluginError: a plugin is not there, is broken, or has a job of a name that is taken.
        DefinitionError: a job has the name of one of the queue's own.
        SettingsError: a setting is no schedule.
    """
    known = load_registry(reference)
    sources = {reference: list(known)}
    for name in plugins:
        origin, jobs = load_plugin(name)
        added = _missing(known, jobs)
        for job in added:
            if job.name in known:
                raise PluginError(
                    JOBS,
                    name,
                    f"of {origin} has a job {job.name!r}, a name that is already taken",
                    "Leave the plugin out, or rename the other job.",
                )
        known = JobRegistry([*known, *added])
        sources[f"plugin {name} ({origin})"] = added
    return {**sources, "queue_worker": _ours(known, settings)}


def _ours(registry: JobRegistry, settings: Settings | None) -> list[JobDefinition[Any]]:
    missing = _missing(registry, _JOBS)
    for job in missing:
        if job.name in registry:
            raise DefinitionError(
                job.name,
                "name",
                "is that of a job of the queue itself, which every worker knows",
                "Rename yours, and first cancel what still waits under this name.",
            )
    return [_scheduled(job, settings) for job in missing]


def _missing(registry: JobRegistry, jobs: Iterable[JobDefinition[Any]]) -> list[JobDefinition[Any]]:
    return [job for job in jobs if not _holds(registry, job)]


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
