"""What can be read of a worker from outside: its series, and whether it is live and ready."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import ProcessCollector, disable_created_metrics

from queue_worker.execution.outcome import Outcome
from queue_worker.observability.fleet_metrics import FleetMetrics
from queue_worker.settings import Settings
from queue_worker.worker import timing
from queue_worker.worker.endpoints import Endpoints
from queue_worker.worker.health import Health
from queue_worker.worker.listener import Listener
from queue_worker.worker.schema_watch import SchemaWatch
from queue_worker.worker.station import Station
from queue_worker.worker.watchdog import Watchdog

_MISSED = 3 * timing.HEARTBEAT  # so old a heartbeat says that the database does not answer


class Instruments:
    """The endpoints of one worker, and what they read."""

    def __init__(self, settings: Settings, station: Station) -> None:
        self._station = station
        self._health = Health()
        fleet = FleetMetrics(settings.direct_dsn, connect_timeout=settings.connect_timeout)
        registry = station.metrics.registry
        registry.register(fleet)
        ProcessCollector(registry=registry)
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when each series began: twice as many, and nobody asks
        station.metrics.declare(station.registry.names, Outcome)
        self._endpoints = Endpoints(settings, self._health, registry, fleet)

    def start(self) -> None:
        """Begin to answer; until `watch` is called the worker is not ready.

        Raises:
            SettingsError: there is nothing to listen on.
        """
        self._endpoints.start()

    def stop(self) -> None:
        """Answer no more."""
        self._endpoints.stop()

    def watch(
        self,
        listener: Listener,
        schema: SchemaWatch,
        watchdog: Watchdog,
        is_stopping: Callable[[], bool],
    ) -> None:
        """From now on it is ready if these are well."""
        self._health.watch(
            live={
                "watchdog": _unless(lambda: watchdog.is_watching, "does not look at the loop"),
            },
            ready={
                "database": _unless(self._is_heard, "no heartbeat could be sent"),
                "migrations": lambda: schema.problem,
                "lock_session": _unless(lambda: self._station.locks.is_alive, "is not open"),
                "listener": _unless(lambda: listener.is_listening, "is not connected"),
                "loop": _unless(lambda: not watchdog.is_loop_blocked, "is blocked by a job"),
                "draining": _unless(lambda: not is_stopping(), "the worker was asked to stop"),
            },
        )
        self._watch_gauges()

    def _is_heard(self) -> bool:
        return self._station.heartbeat_age < _MISSED

    def _watch_gauges(self) -> None:
        station, watch = self._station, self._station.worker_metrics.watch
        watch(
            "queue_worker_ready",
            "Whether it takes up jobs; /ready says why not.",
            lambda: self._health.ready().ok,
        )
        watch(
            "queue_worker_open_runs",
            "Runs that it has claimed and not closed.",
            lambda: station.occupied,
        )
        watch(
            "queue_worker_concurrency",
            "How many of them it may have.",
            lambda: station.settings.concurrency,
        )
        watch("queue_worker_held_lock_keys", "Lock keys that it holds.", lambda: station.locks.held)
        watch(
            "queue_worker_heartbeat_age_seconds",
            "How long ago it last said that it is alive.",
            lambda: station.heartbeat_age,
        )


def _unless(is_well: Callable[[], bool], problem: str) -> Callable[[], str | None]:
    return lambda: None if is_well() else problem
