"""The jobs of the queue itself: every worker knows them, whatever registry it serves.

Their names begin with `queue_worker.`. Each is an ordinary job in a module of its own here.
"""

from __future__ import annotations

from typing import Any

from queue_worker.definitions import JobDefinition
from queue_worker.registry import JobRegistry, load_registry

_JOBS: tuple[JobDefinition[Any], ...] = ()


def with_housekeeping(registry: JobRegistry) -> JobRegistry:
    """These jobs and ours; a registry that holds ours already gains nothing.

    Raises:
        DefinitionError: a job of theirs has the name of one of ours.
    """
    ours = [job for job in _JOBS if not _holds(registry, job)]
    return JobRegistry([*registry, *ours])


def load_jobs(reference: str) -> JobRegistry:
    """Import the registry that `package.module:name` refers to, and add the jobs of the queue.

    Raises:
        RegistryError: it does not import, is no registry, or is empty.
        DefinitionError: a job of theirs has the name of one of ours.
    """
    return with_housekeeping(load_registry(reference))


def _holds(registry: JobRegistry, job: JobDefinition[Any]) -> bool:
    return job.name in registry and registry.get(job.name) is job
