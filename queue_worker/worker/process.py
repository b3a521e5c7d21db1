"""The worker process, from its start to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import structlog

from queue_worker.execution.run import EndedRun
from queue_worker.governance.pooler import require_direct_connection
from queue_worker.housekeeping import with_housekeeping, with_own_queue
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings
from queue_worker.worker.claimer import Claimer
from queue_worker.worker.exits import EXIT_FAILED, EXIT_STOPPED, exit_now
from queue_worker.worker.instruments import Instruments
from queue_worker.worker.listener import Listener
from queue_worker.worker.lookout import Lookout
from queue_worker.worker.reaper import Reaper
from queue_worker.worker.scheduler import Scheduler
from queue_worker.worker.schema_watch import SchemaWatch
from queue_worker.worker.station import Station
from queue_worker.worker.supervisor import Supervisor
from queue_worker.worker.turns import EVERYTHING
from queue_worker.worker.watchdog import Watchdog

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

CLOSE_PATIENCE = 5.0  # seconds to write the ends of cancelled runs before the process ends anyway


async def _wait_for_first(tasks: set[asyncio.Task[Any]], seconds: float) -> None:
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


class _Loop(Protocol):
    """What goes on beside the others until it is cancelled."""

    async def run(self) -> None: ...


class Worker:
    """Serves queues until it is asked to stop, or can't go on.

    The first SIGTERM or SIGINT drains: nothing more is claimed and what runs may end. A second
    one, or the drain timeout, cancels what still runs. Where a job has blocked the event loop for
    good, the watchdog ends the process.
    """

    def __init__(self, registry: JobRegistry, settings: Settings) -> None:
        """Take registry and settings as they are.

        Raises:
            SettingsError: a sink of alerts is malformed.
        """
        from queue_worker.observability.alerts.addresses import (  # noqa: PLC0415  loads HTTP and mail
            open_sinks,
        )

        registry = with_housekeeping(registry, settings)
        self._settings = settings
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()
        self._failure: str | None = None
        self._station = Station(
            registry,
            settings,
            on_closed=self._on_closed,
            on_disowned=self._on_disowned,
            on_given_up=self._on_given_up,
        )
        self._queues = with_own_queue(settings.queues)
        self._sinks = list(open_sinks(settings))
        self._claimer = Claimer(self._station, self._queues, settings.concurrency)
        self._registry = registry
        self._instruments = Instruments(settings, self._station)

    async def run(self) -> int:
        """Work until stopped; returns the exit code: 0 only after a requested stop.

        Raises:
            SettingsError: there is a pooler in the way, or the endpoints can't be listened on.
            DatabaseUnreachable: the database did not answer at the start.
        """
        require_direct_connection(self._settings)
        self._instruments.start()
        try:
            return await self._serve()
        finally:
            self._instruments.stop()

    async def _serve(self) -> int:
        await self._station.open(self._queues, self._settings.concurrency)
        supervisor = Supervisor()
        watchdog = Watchdog(
            self._settings,
            deadline=self._station.deadline,
            give_up=self._end_blocked,
            on_alive=supervisor.alive,
        )
        watchdog.start()
        with self._signals(watchdog):
            log.info("worker.started", **self._facts())  # from here on it can be stopped
            loops = self._start_loops()
            self._instruments.watch(self._listener, self._schema, watchdog, self._stopping.is_set)
            supervisor.ready()
            await self._wait_for_end(loops | self._station.loops)
            supervisor.stopping()
            await self._end_loops(loops)
            await self._drain()
        await self._station.close("failed" if self._failure else "stopped")
        watchdog.stop()
        if self._failure:
            log.error("worker.failed", reason=self._failure, worker_id=self._station.worker_id)
        else:
            log.info("worker.stopped", worker_id=self._station.worker_id)
        code = EXIT_FAILED if self._failure else EXIT_STOPPED
        if self._station.has_given_up:
            exit_now(code)
        return code

    def stop(self) -> None:
        """Ask it to stop; asked again, it hurries."""
        if self._stopping.is_set():
            self._hurrying.set()
        self._stopping.set()

    def _start_loops(self) -> set[asyncio.Task[None]]:
        worker_id = self._station.worker_id
        names = ("ticks", "reaper", "alerts")
        self._sessions = [self._station.session(name) for name in names]
        ticks, reaping, alerting = self._sessions
        self._listener = Listener(
            self._settings, self._queues, self._claimer.hear, lambda: self._station.place
        )
        self._schema = SchemaWatch(reaping)
        loops: list[_Loop] = [
            self._claimer,
            self._listener,
            self._schema,
            Scheduler(self._registry, self._station.scheduled_since, ticks, worker_id),
            Reaper(
                reaping,
                worker_id,
                lambda: self._claimer.hear(EVERYTHING),
                self._station.observer,
                lambda: self._station.fleet,
            ),
            Lookout(alerting, self._settings, self._sinks, lambda: self._station.fleet),
        ]
        return {asyncio.create_task(loop.run(), name=type(loop).__name__.lower()) for loop in loops}

    async def _end_loops(self, loops: set[asyncio.Task[None]]) -> None:
        for task in loops:
            task.cancel()
        for session in self._sessions:
            await session.aclose()
        await asyncio.gather(*loops, return_exceptions=True)

    async def _wait_for_end(self, loops: set[asyncio.Task[None]]) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait({stopping, *loops}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in done - {stopping}:
            self._fail(f"the {task.get_name()} ended: {task.exception()!r}")

    async def _drain(self) -> None:
        """Let what runs end; then cancel it; then leave it to the reaper of a sibling."""
        log.info("worker.draining", runs=self._station.occupied)
        closed = asyncio.create_task(self._station.wait_until_closed())
        hurried = asyncio.create_task(self._hurrying.wait())
        ended = {closed, *self._station.loops}  # without its loops nothing is closed any more
        await _wait_for_first({hurried, *ended}, self._settings.drain_timeout)
        if not closed.done():
            self._station.cancel_all("the worker was stopped before the run had ended")
            await _wait_for_first(ended, self._settings.cancel_grace + CLOSE_PATIENCE)
        if not closed.done():
            self._fail(f"{self._station.occupied} runs could not be closed")
        closed.cancel()
        hurried.cancel()

    def _on_closed(self, closed: Sequence[EndedRun]) -> None:
        self._claimer.look_after(closed)

    def _on_disowned(self) -> None:
        self._fail("the database says that this worker is not alive any more")
        self._stopping.set()

    def _on_given_up(self, ended: EndedRun) -> None:
        self._fail(f"run {ended.claim.run_id} of job {ended.job} ignores its cancellation")
        self._stopping.set()

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or reason

    def _end_blocked(self, stack: str) -> None:
        self._station.end_process("the event loop is blocked for good", stack=stack)

    @contextlib.contextmanager
    def _signals(self, watchdog: Watchdog) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self.stop)
        watchdog.tap_signals()
        try:
            yield
        finally:
            watchdog.untap_signals()
            for number in numbers:
                loop.remove_signal_handler(number)

    def _facts(self) -> dict[str, object]:
        return {
            "worker_id": self._station.worker_id,
            "jobs": len(self._registry),
            "queues": list(self._settings.queues) or "all",
            "concurrency": self._settings.concurrency,
            "dry_run": self._settings.dry_run,
        }
