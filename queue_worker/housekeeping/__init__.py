"""The jobs of the queue itself: every worker knows them, whatever registry it serves.

Their names begin with `queue_worker.`. Each is an ordinary job in a module of its own here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from queue_worker.definitions import JobDefinition
from queue_worker.housekeeping import deliver_alerts
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
    ours = [job for job in _JOBS if not _holds(registry, job)]
    return JobRegistry([*registry, *ours])


def with_own_queue(queues: Sequence[str]) -> tuple[str, ...]:
    """The queues that a worker serves: those it was given and ours; none still means all."""
    return tuple(dict.fromkeys([*queues, QUEUE])) if queues else ()


def load_jobs(reference: str) -> JobRegistry:
    """Import the registry that `package.module:name` refers to, and add the jobs of the queue.

    Raises:
        RegistryError: it does not import, is no registry, or is empty.
        DefinitionError: a job of theirs has the name of one of ours.
    """
    return with_housekeeping(load_registry(reference))


def _holds(registry: JobRegistry, job: JobDefinition[Any]) -> bool:
    return job.name in registry and registry.get(job.name) is job
