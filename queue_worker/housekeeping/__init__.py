"""The jobs of the queue itself: every worker knows them, whatever registry it serves.

Their names begin with `queue_worker.`. Each is an ordinary job in a module of its own here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from queue_worker.definitions import JobDefinition
from queue_worker.errors import PluginError
from queue_worker.housekeeping import deliver_alerts
from queue_worker.plugins import JOBS, load_plugin
from queue_worker.registry import JobRegistry, load_registry

QUEUE = "queue_worker"  # every worker serves it, whatever queues it was given
_JOBS: tuple[JobDefinition[Any], ...] = (deliver_alerts.job,)

# They take no slot of a worker's concurrency: a receiver that hangs must not hold up a job. Each
# has a lock key, so that a worker runs at most so many beyond its concurrency.
WITHOUT_SLOT = frozenset({deliver_alerts.job.name})


def with_housekeeping(registry: JobRegistry) -> JobRegistry:
    """These jobs and ours; a registry that holds ours already gains nothing.

    Raises:
        DefinitionError: a job of theirs has the name of one of ours.
    """
    return JobRegistry([*registry, *_missing(registry, _JOBS)])


def with_own_queue(queues: Sequence[str]) -> tuple[str, ...]:
    """The queues that a worker serves: those it was given and ours; none still means all."""
    return tuple(dict.fromkeys([*queues, QUEUE])) if queues else ()


def load_jobs(reference: str, plugins: Sequence[str]) -> JobRegistry:
    """The jobs that a process knows, wherever they come from.

    Raises: as `load_sources`.
    """
    return JobRegistry(job for jobs in load_sources(reference, plugins).values() for job in jobs)


def load_sources(reference: str, plugins: Sequence[str]) -> dict[str, list[JobDefinition[Any]]]:
    """The jobs that a process knows, by where they come from, each once.

    Args:
        reference: the registry to import, as `package.module:name`.
        plugins: the entry points of other packages whose jobs are wanted.

    Raises:
        RegistryError: the registry does not import, is none, or is empty.
        PluginError: a plugin is not there, is broken, or has a job of a name that is taken.
        DefinitionError: a job has the name of one of the queue's own.
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
    ours = _missing(known, _JOBS)
    JobRegistry([*known, *ours])  # refuses a name that is taken
    return {**sources, "queue_worker": ours}


def _missing(registry: JobRegistry, jobs: Iterable[JobDefinition[Any]]) -> list[JobDefinition[Any]]:
    return [job for job in jobs if not (job.name in registry and registry.get(job.name) is job)]
