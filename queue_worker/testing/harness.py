"""The queue of one test: look into it, carry out what is due, move its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from queue_worker.arguments import dump_arguments
from queue_worker.database import connect
from queue_worker.definitions import JobDefinition
from queue_worker.errors import QueueWorkerError
from queue_worker.execution.run import EndedRun
from queue_worker.observability.alerts.message import AlertMessage
from queue_worker.queue.client import SyncQueueClient
from queue_worker.queue.fleet import publication
from queue_worker.queue.requests import EnqueueAnswer, EnqueueOptions
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings
from queue_worker.statements import statement
from queue_worker.testing.alerts import read_alerts
from queue_worker.testing.clock import Clock
from queue_worker.testing.drive import fire_due_ticks, run_due
from queue_worker.testing.enqueued import EnqueuedJob, has_arguments, listed, read_enqueued
from queue_worker.worker.loop import new_runner

ArgsT = TypeVar("ArgsT")
T = TypeVar("T")
MOST_RUNS = 1_000


class QueueHarness:
    """A queue under test.

    Attributes:
        registry: the jobs that it knows.
        settings: point at its database; give them to the clients of the code under test.
        clock: see Clock.
    """

    def __init__(self, registry: JobRegistry, settings: Settings) -> None:
        self.registry = registry
        self.settings = settings
        self._connection = connect(settings.dsn, name="queue_worker testing")
        self._client = SyncQueueClient(registry, settings)
        self._connection.execute(statement("publish_jobs"), publication(registry))
        self.clock = Clock(self._connection)

    def enqueue(
        self,
        job: JobDefinition[ArgsT] | str,
        args: ArgsT | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> EnqueueAnswer:
        """Enqueue one job; as SyncQueueClient.enqueue."""
        return self._client.enqueue(job, args, connection=self._connection, **options)

    def enqueued(self, job: JobDefinition[Any] | str | None = None) -> list[EnqueuedJob]:
        """What waits in the queue, or what waits of one job, oldest first.

        Raises:
            UnknownJobError: the job is not in the registry.
        """
        found = read_enqueued(self._connection)
        if job is None:
            return found
        name = self._definition(job).name
        return [waiting for waiting in found if waiting.job == name]

    def assert_enqueued(
        self,
        job: JobDefinition[ArgsT] | str,
        *,
        args: ArgsT | Mapping[str, Any] | None = None,
        count: int | None = None,
    ) -> list[EnqueuedJob]:
        """Fail the test unless this job waits in the queue; returns those that do.

        Args:
            job: the definition, or its name.
            args: its arguments; None for any.
            count: how many there must be; None for at least one.

        Raises:
            AssertionError: it is not so; says what waits instead.
            UnknownJobError: the job is not in the registry.
            ArgumentsError: the job cannot be enqueued with such arguments.
        """
        __tracebackhide__ = True
        definition, most = self._definition(job), self.settings.max_args_bytes
        waiting = self.enqueued()
        found = [w for w in waiting if w.job == definition.name]
        if args is not None:
            wanted = dump_arguments(definition, args, most)
            found = [w for w in found if has_arguments(w, definition, wanted, most)]
        if len(found) != count if count is not None else not found:
            such = f"{definition.name} with {args!r}" if args is not None else definition.name
            many = "at least one" if count is None else count
            raise AssertionError(
                f"{many} {such} should wait in the queue, {len(found)} do. "
                f"In the queue:{listed(waiting)}"
            )
        return found

    def run_enqueued(self, *, concurrency: int = 1, most_runs: int = MOST_RUNS) -> list[EndedRun]:
        """Carry out all that is due, and what those runs enqueue, with the runner of a worker.

        A retry or a delayed job is due once the clock was advanced so far.

        Args:
            concurrency: how many runs execute at once; one by one, they go in the queue's order.
            most_runs: after so many it is taken for an endless loop.

        Returns:
            The runs as they ended, in that order.

        Raises:
            RunError: there were more than `most_runs`.
            QueueWorkerError: the test is a coroutine; there, await run_enqueued_async.
        """
        return self._run(self.run_enqueued_async(concurrency=concurrency, most_runs=most_runs))

    async def run_enqueued_async(
        self, *, concurrency: int = 1, most_runs: int = MOST_RUNS
    ) -> list[EndedRun]:
        """The same on the event loop of the test; see run_enqueued."""
        return await run_due(
            self.registry, self.settings, concurrency=concurrency, most_runs=most_runs
        )

    def fire_due_ticks(self) -> list[EnqueuedJob]:
        """Enqueue what schedules have made due, with the scheduler of a worker; returns that.

        Ticks count from the start of the test; advance the clock to make some due.

        Raises:
            QueueWorkerError: the test is a coroutine; there, await fire_due_ticks_async.
        """
        return self._run(self.fire_due_ticks_async())

    async def fire_due_ticks_async(self) -> list[EnqueuedJob]:
        """The same on the event loop of the test; see fire_due_ticks."""
        before = {waiting.queue_job_id for waiting in self.enqueued()}
        await fire_due_ticks(self.registry, self.settings)
        return [waiting for waiting in self.enqueued() if waiting.queue_job_id not in before]

    def alerts(self) -> list[AlertMessage]:
        """The messages about alerts so far, oldest first: what every sink would have been given.

        Of one alert there is one in QUEUE_WORKER_ALERT_WINDOW seconds, and one when it recovers.
        """
        return read_alerts(self._connection, self.settings)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _definition(self, job: JobDefinition[Any] | str) -> JobDefinition[Any]:
        return self.registry.get(job if isinstance(job, str) else job.name)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if _is_on_event_loop():
            coroutine.close()
            raise QueueWorkerError(
                "A test that is a coroutine has an event loop already: await the method of the "
                "same name that ends in _async."
            )
        with new_runner(self.settings) as runner:
            return runner.run(coroutine)


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
