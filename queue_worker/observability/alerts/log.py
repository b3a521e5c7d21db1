"""The sink that is always there: the log of the worker that delivers."""

from __future__ import annotations

import structlog

from queue_worker.observability.alerts.message import AlertMessage

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("queue_worker.alerts")


class LogSink:
    """Writes each message as one log line."""

    name = "log"

    async def send(self, message: AlertMessage) -> str:
        """Log it: an error when it is raised, an info when it is resolved."""
        facts = {
            f"alert_{name}": value for name, value in message.facts.items() if value is not None
        }
        if message.is_resolved:
            log.info("alert.resolved", **facts)
        else:
            log.error("alert.raised", **facts)
        return "logged"
