"""Services that take alerts in a form of their own: Slack, Alertmanager, PagerDuty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from queue_worker.observability.alerts.http import Poster
from queue_worker.observability.alerts.message import AlertMessage

_STANDS = timedelta(
    days=1
)  # Alertmanager forgets an alert that is not sent again; it is, or resolved


@dataclass(frozen=True, slots=True)
class SlackSink:
    """Posts text to an incoming webhook of Slack, or of what is compatible with it."""

    name: str
    url: str
    poster: Poster

    async def send(self, message: AlertMessage) -> str:
        """Post it; nothing in it is markup, a link or a mention."""
        text = message.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return await self.poster.post(self.url, {"text": text, "mrkdwn": False})


@dataclass(frozen=True, slots=True)
class AlertmanagerSink:
    """Posts to the API v2 of Alertmanager, which knows an alert by its labels."""

    name: str
    url: str
    poster: Poster

    async def send(self, message: AlertMessage) -> str:
        """Post it: it stands for a day, or ends now."""
        now = datetime.now(UTC)
        alert = {
            "labels": {
                "alertname": message.type,
                "subject": message.subject,
                "source": "queue_worker",
            },
            "annotations": {
                "summary": message.summary,
                "description": message.text,
                "runbook": message.runbook,
                "owner": message.owner,
                "message_id": message.id,
            },
            "startsAt": message.first_seen_at.isoformat(),
            "endsAt": (now if message.is_resolved else now + _STANDS).isoformat(),
        }
        return await self.poster.post(f"{self.url.rstrip('/')}/api/v2/alerts", [alert])


@dataclass(frozen=True, slots=True)
class PagerDutySink:
    """Sends events of version 2; the fingerprint of an alert is its dedup_key."""

    name: str
    url: str
    routing_key: str
    poster: Poster

    async def send(self, message: AlertMessage) -> str:
        """Trigger an incident, or resolve it."""
        event = {
            "routing_key": self.routing_key,
            "event_action": "resolve" if message.is_resolved else "trigger",
            "dedup_key": message.fingerprint[:255],
            "payload": {
                "summary": f"{message.title}: {message.summary}"[:1024],
                "source": message.subject,
                "severity": "error",
                "timestamp": message.last_seen_at.isoformat(),
                "component": message.job or message.subject,
                "class": message.type,
                "custom_details": message.facts,
            },
        }
        return await self.poster.post(self.url, event)
