"""/live, /ready and /metrics of one worker, on one port."""

from __future__ import annotations

import json
from http import HTTPStatus

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from queue_worker.errors import SettingsError
from queue_worker.observability.fleet_metrics import FleetMetrics
from queue_worker.settings import Settings
from queue_worker.worker.health import Health, Report
from queue_worker.worker.http import HttpServer, Response, plain

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

PORTS = 64  # tried one after the other, for several workers on one host


class Endpoints:
    """Answers for one process, from a thread of its own."""

    def __init__(
        self, settings: Settings, health: Health, metrics: CollectorRegistry, fleet: FleetMetrics
    ) -> None:
        self._settings = settings
        self._health = health
        self._metrics = metrics
        self._fleet = fleet
        self._server = HttpServer(self._answer)

    def start(self) -> None:
        """Begin, unless the port is 0.

        Raises:
            SettingsError: the host is none of this machine, or no port is free.
        """
        host, first = self._settings.http_host, self._settings.http_port
        if not first:
            return
        try:
            address = self._server.start(host, range(first, min(first + PORTS, 65_536)))
        except OSError as error:
            raise SettingsError(
                "QUEUE_WORKER_HTTP_PORT",
                f"cannot be listened on ({error.strerror or error})",
                "Choose another port or QUEUE_WORKER_HTTP_HOST, or 0 for no endpoints.",
            ) from None
        log.info("endpoints.listening", host=address[0], port=address[1])

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._server.stop()

    async def _answer(self, path: str) -> Response:
        match path:
            case "/live":
                return _as_response("live", self._health.live())
            case "/ready":
                return _as_response("ready", self._health.ready())
            case "/metrics":
                await self._fleet.refresh()
                return Response(HTTPStatus.OK, generate_latest(self._metrics), CONTENT_TYPE_LATEST)
        return plain(HTTPStatus.NOT_FOUND)


def _as_response(question: str, report: Report) -> Response:
    checks = {name: problem or "ok" for name, problem in report.problems.items()}
    body = json.dumps({question: report.ok, "checks": checks}) + "\n"
    status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(status, body.encode(), "application/json")
