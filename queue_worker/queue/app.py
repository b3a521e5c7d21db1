"""The registry as a procrastinate app, so that procrastinate's own tools know our jobs.

Its CLI, its shell and its Python API can list, enqueue and cancel them; only our worker runs them.
Schedules are not registered as periodic tasks: procrastinate would fire each tick a second time
(see docs/decisions).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import procrastinate
from procrastinate.tasks import Task

from queue_worker.definitions import JobDefinition
from queue_worker.errors import RunError
from queue_worker.queue.manager import RunManager
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings


def build_app(registry: JobRegistry, settings: Settings) -> procrastinate.App:
    """A procrastinate app with one task for each job, named as the job is."""
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=settings.dsn, min_size=0, max_size=2)
    )
    app.job_manager = RunManager(app.connector)
    for job in registry:
        _register(app, job)
    return app


def _register(app: procrastinate.App, job: JobDefinition[Any]) -> None:
    task: Callable[[Callable[..., Any]], Task[Any, Any, Any]] = app.task(
        name=job.name,
        queue=job.queue,
        priority=job.priority,
        lock=job.lock_key,
        queueing_lock=job.name if job.is_scheduled else None,
    )
    task(_only_our_worker(job.name))


def _only_our_worker(name: str) -> Callable[..., NoReturn]:
    def refuse(**_: Any) -> NoReturn:  # noqa: ANN401  whatever arguments the job takes
        raise RunError(
            f"Job {name!r} was claimed by a plain procrastinate worker, which has no lock, "
            "deadline or ledger. Run it with `queue-worker worker`, and give the other worker "
            "queues of its own."
        )

    return refuse
