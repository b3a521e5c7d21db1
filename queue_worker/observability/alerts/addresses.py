"""Which sinks the settings name: one URL each, the kind of sink before its scheme."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from queue_worker.errors import SettingsError
from queue_worker.observability.alerts.apprise import AppriseSink
from queue_worker.observability.alerts.email import EmailSink
from queue_worker.observability.alerts.http import Poster
from queue_worker.observability.alerts.log import LogSink
from queue_worker.observability.alerts.services import AlertmanagerSink, PagerDutySink, SlackSink
from queue_worker.observability.alerts.sink import Sink
from queue_worker.observability.alerts.webhook import WebhookSink
from queue_worker.plugins import load_alert_sink
from queue_worker.settings import Settings

_REMEDY = (
    "Use log:, webhook+https://…, slack+https://…, alertmanager+https://…, pagerduty+https://…, "
    "smtp://…, smtps://…, apprise+… or plugin+…, separated by spaces; see docs/ALERTS.md."
)
_LEAST_SECRET = 16  # bytes


def open_sinks(settings: Settings) -> dict[str, Sink]:
    """The sinks by their names; none of them is connected to yet.

    Raises:
        SettingsError: a URL or the secret is malformed; never repeats any of it.
    """
    texts = settings.alert_sinks.get_secret_value().split()
    if texts == ["none:"]:
        return {}
    sinks = [_open(number, text, settings) for number, text in enumerate(texts, start=1)]
    return {sink.name: sink for sink in sinks}


@dataclass(frozen=True, slots=True)
class _Address:
    """One of the URLs: its kind, and what comes after that."""

    kind: str
    url: SplitResult
    host: str
    name: str
    settings: Settings

    @property
    def plain(self) -> str:
        """The URL to post to: without the kind, and without who posts."""
        scheme = self.url.scheme.rpartition("+")[2]
        return self.url._replace(scheme=scheme, netloc=self.url.netloc.rpartition("@")[2]).geturl()

    @property
    def poster(self) -> Poster:
        return Poster(
            timeout=self.settings.alert_timeout, allow_private=self.settings.alert_allow_private
        )


def _open(number: int, text: str, settings: Settings) -> Sink:
    try:
        address = _read(text, settings)
        return _KINDS[address.kind](address)
    except ValueError as error:
        problem = f"is refused: URL number {number} {error}"
        raise SettingsError("QUEUE_WORKER_ALERT_SINKS", problem, _REMEDY) from None


def _read(text: str, settings: Settings) -> _Address:
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise ValueError("is malformed") from None  # the parser would quote it
    kind, _, scheme = url.scheme.partition("+")
    if kind not in _KINDS:
        raise ValueError("is of no kind that is known")
    if not host and kind != "log":
        raise ValueError("names no host")
    if kind not in _FREE and scheme not in _SCHEMES.get(kind, {"http", "https"}):
        raise ValueError("has the wrong scheme after its kind")
    # A name says which one it is, and nothing that is secret.
    name = f"{kind}:{host}#{hashlib.sha256(text.encode()).hexdigest()[:6]}"
    return _Address(kind, url, host, name, settings)


def _open_webhook(address: _Address) -> Sink:
    secret = _read_secret(address.settings)
    return WebhookSink(address.name, address.plain, secret, address.poster)


def _open_pagerduty(address: _Address) -> Sink:
    if not address.url.username:
        raise ValueError("has no routing key before its host")
    key = unquote(address.url.username)
    return PagerDutySink(address.name, address.plain, key, address.poster)


def _open_mail(address: _Address) -> Sink:
    url, asked = address.url, parse_qs(address.url.query)
    senders, recipients = asked.get("from", []), asked.get("to", [])
    if len(senders) != 1 or not recipients:
        raise ValueError("needs ?from=… and &to=…")
    if not all("@" in mailbox and mailbox.isprintable() for mailbox in (*senders, *recipients)):
        raise ValueError("has a from or to that is no mail address")
    is_encrypted = address.kind == "smtps"
    return EmailSink(
        name=address.name,
        host=address.host,
        port=url.port or (465 if is_encrypted else 587),
        username=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
        sender=senders[0],
        recipients=tuple(recipients),
        is_encrypted=is_encrypted,
        timeout=address.settings.alert_timeout,
    )


def _open_apprise(address: _Address) -> Sink:
    if find_spec("apprise") is None:
        raise ValueError("needs queue-worker[apprise], which is not installed")
    url = address.url.geturl().partition("+")[2]
    return AppriseSink(address.name, url, address.settings.alert_timeout)


def _open_plugin(address: _Address) -> Sink:
    """What a package makes of it: it is given a name, the URL without our kind, a time limit."""
    text = address.url.geturl().partition("+")[2]
    make_sink = load_alert_sink(text.partition(":")[0])
    sink: Sink = make_sink(address.name, text, address.settings.alert_timeout)
    return sink


def _read_secret(settings: Settings) -> bytes | None:
    if settings.alert_secret is None:
        return None
    text = settings.alert_secret.get_secret_value().removeprefix("whsec_")
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) < _LEAST_SECRET:
        raise SettingsError(
            "QUEUE_WORKER_ALERT_SECRET",
            f"is not base64 of at least {_LEAST_SECRET} bytes",
            'Make one: echo "whsec_$(openssl rand -base64 32)".',
        )
    return secret


_KINDS: dict[str, Callable[[_Address], Sink]] = {
    "log": lambda _: LogSink(),
    "webhook": _open_webhook,
    "slack": lambda address: SlackSink(address.name, address.plain, address.poster),
    "alertmanager": lambda address: AlertmanagerSink(address.name, address.plain, address.poster),
    "pagerduty": _open_pagerduty,
    "smtp": _open_mail,
    "smtps": _open_mail,
    "apprise": _open_apprise,
    "plugin": _open_plugin,
}
_FREE = {"apprise", "plugin"}  # any scheme
_SCHEMES = {"log": {""}, "smtp": {""}, "smtps": {""}}
