"""Each sink against a real receiver; each malformed address with one clear refusal."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from queue_worker.errors import SettingsError, SinkDown, SinkRefused
from queue_worker.observability.alerts import http
from queue_worker.observability.alerts.addresses import open_sinks
from queue_worker.observability.alerts.delivery import send_all
from queue_worker.observability.alerts.http import is_private
from queue_worker.observability.alerts.sink import Sink
from queue_worker.settings import load_settings
from tests.support.alerts import message
from tests.support.postgres import free_port
from tests.support.receiver import Receiver, receiving

DSN = "postgresql://u@localhost/d"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def open_sink(url: str, **more: Any) -> Sink:
    settings = load_settings(
        database_url=DSN,
        alert_sinks=url,
        **{"alert_allow_private": True, "alert_timeout": 0.5} | more,
    )
    (sink,) = open_sinks(settings).values()
    return sink


async def test_slack_gets_text_without_markup(receiver: Receiver) -> None:
    sink = open_sink(f"slack+{receiver.url('/services/T/B/x')}")
    assert await sink.send(message(summary="<!channel> & <http://x|y>")) == "200 ok"
    (request,) = receiver.requests
    assert request.path == "/services/T/B/x"
    assert "&lt;!channel&gt; &amp;" in request.json["text"]
    assert "<" not in request.json["text"]


async def test_alertmanager_gets_one_alert_that_begins_and_ends(receiver: Receiver) -> None:
    sink = open_sink(f"alertmanager+{receiver.url('/')}")
    await sink.send(message())
    await sink.send(message(kind="resolved"))
    first, second = (request.json[0] for request in receiver.requests)
    assert receiver.requests[0].path == "/api/v2/alerts"
    assert first["labels"] == second["labels"] == {
        "alertname": "JOB_FAILED", "subject": "a", "source": "queue_worker",
    }  # fmt: skip
    assert second["endsAt"] < first["endsAt"]
    assert second["startsAt"] < second["endsAt"]


async def test_pagerduty_gets_a_trigger_and_a_resolve_of_the_same_key(receiver: Receiver) -> None:
    sink = open_sink(f"pagerduty+http://R0UT1NG@127.0.0.1:{receiver.port}/v2/enqueue")
    await sink.send(message())
    await sink.send(message(kind="resolved"))
    events = [request.json for request in receiver.requests]
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert {(event["dedup_key"], event["routing_key"]) for event in events} == {
        ("JOB_FAILED:a", "R0UT1NG")
    }
    assert "R0UT1NG" not in sink.name
    assert "authorization" not in receiver.requests[0].headers


async def test_a_mail_has_an_id_that_is_always_the_same() -> None:
    mails = []

    class Mailbox:
        async def handle_DATA(self, _: object, __: object, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
            mails.append(
                (envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default))
            )
            return "250 taken"

    port = free_port()
    controller = Controller(Mailbox(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        sink = open_sink(
            f"smtp://127.0.0.1:{port}?from=q@example.org&to=a@example.org&to=b@example.org"
        )
        for _ in range(2):
            assert await sink.send(message(summary="grüße\r\nBcc: evil@example.org")) == "taken"
    finally:
        controller.stop()
    (recipients, mail), (_, again) = mails
    assert recipients == ["a@example.org", "b@example.org"]
    assert mail["Subject"] == "JOB_FAILED a"
    assert mail["Message-ID"] == again["Message-ID"]
    assert "Bcc" not in mail
    assert "Last: grüße Bcc: evil@example.org" in mail.get_content()


async def test_a_mail_server_that_is_not_there_is_down() -> None:
    sink = open_sink(f"smtp://127.0.0.1:{free_port()}?from=q@example.org&to=a@example.org")
    with pytest.raises(SinkDown, match="no mail could be sent"):
        await sink.send(message())


@pytest.mark.parametrize(
    ("status", "error"), [(500, SinkDown), (429, SinkDown), (404, SinkRefused)]
)
async def test_what_is_not_taken_is_an_error(
    receiver: Receiver, status: int, error: type[Exception]
) -> None:
    receiver.status, receiver.answer = status, b"why not\x1b[31m" * 1000
    with pytest.raises(error, match=f"{status} why not") as raised:
        await open_sink(f"webhook+{receiver.url()}").send(message())
    assert "\x1b" not in str(raised.value)
    assert len(str(raised.value)) < 400


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"location": receiver.url("/elsewhere")}
    with pytest.raises(SinkRefused, match="redirects are not followed"):
        await open_sink(f"webhook+{receiver.url()}").send(message())
    assert len(receiver.requests) == 1


async def test_a_receiver_that_hangs_or_drips_is_left_in_time(receiver: Receiver) -> None:
    receiver.hang()
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(SinkDown, match=r"no answer within 0\.5 s"):
        await open_sink(f"webhook+{receiver.url()}").send(message())
    assert loop.time() - began < 3


async def test_a_private_address_is_refused_unless_allowed(receiver: Receiver) -> None:
    for host in ("127.0.0.1", "localhost"):
        sink = open_sink(f"webhook+http://{host}:{receiver.port}/", alert_allow_private=False)
        with pytest.raises(SinkRefused, match="its address is private"):
            await sink.send(message())
    assert receiver.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:10.0.0.1", "2002:7f00:1::",
        "64:ff9b::a9fe:a9fe",
    ],
)  # fmt: skip
def test_private_addresses_are_known_in_every_form(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses_are_not_private(address: str) -> None:
    assert not is_private(address)


@pytest.fixture
def certificate_for_localhost(tmp_path: Path) -> tuple[Path, Path]:
    """A key, and a certificate that signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate, and is not here")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out",
         str(certificate), "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


async def test_the_certificate_is_that_of_the_name_not_of_the_address(
    certificate_for_localhost: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = certificate_for_localhost
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    monkeypatch.setattr(http, "_tls", lambda _: ssl.create_default_context(cafile=str(certificate)))
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        right = open_sink(f"webhook+https://localhost:{port}/", alert_timeout=5)
        assert await right.send(message()) == "200 ok"
        wrong = open_sink(f"webhook+https://127.0.0.1:{port}/", alert_timeout=5)
        with pytest.raises(SinkDown, match="no connection"):
            await wrong.send(message())


async def test_a_sink_that_is_down_is_asked_once_and_one_refusal_stops_no_other_message() -> None:
    class Broken:
        name = "broken"

        def __init__(self, *errors: Exception | None) -> None:
            self.errors = list(errors)

        async def send(self, _: object) -> str:
            if (error := self.errors.pop(0)) is not None:
                raise error
            return "ok"

    three = [message(id=str(number)) for number in range(3)]
    down = await send_all(Broken(None, SinkDown("503")), "broken", three)
    assert [(a.state, a.answer) for a in down] == [
        ("delivered", "ok"),
        ("failed", "503"),
        ("untried", "503"),
    ]
    odd = await send_all(Broken(SinkRefused("400"), KeyError("token=abc"), None), "broken", three)
    assert [(a.state, a.answer) for a in odd] == [
        ("failed", "400"), ("failed", "KeyError: 'token=***'"), ("delivered", "ok"),
    ]  # fmt: skip
    assert {a.state for a in await send_all(None, "gone", three)} == {"failed"}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://s3cret@host/", "of no kind"),
        ("webhook+ftp://s3cret@host", "wrong scheme"),
        ("webhook+https://", "no host"),
        ("webhook+https://h:s3cret/", "malformed"),
        ("pagerduty+https://host/s3cret", "no routing key"),
        ("smtp://u:s3cret@host?from=a@b", "needs ?from="),
        ("smtp://u:s3cret@host?from=a@b&to=s3cret", "no mail address"),
        ("log+https://s3cret", "wrong scheme"),
    ],
)
def test_a_malformed_address_is_refused_without_being_repeated(url: str, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        open_sink(f"log: {url}")
    assert problem in str(raised.value)
    assert "URL number 2" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_nobody_is_told_where_that_is_asked_for() -> None:
    assert open_sinks(load_settings(database_url=DSN, alert_sinks="none:")) == {}
    assert list(open_sinks(load_settings(database_url=DSN))) == ["log"]


def test_a_signing_secret_must_be_one() -> None:
    for secret in (
        "whsec_short",
        "not base64 at all!",
        base64.b64encode(b"15 bytes, short").decode(),
    ):
        with pytest.raises(SettingsError, match="QUEUE_WORKER_ALERT_SECRET"):
            open_sink("webhook+https://h/", alert_secret=secret)


def test_names_are_stable_distinct_and_hold_no_secret() -> None:
    urls = "log: slack+https://hooks.example/T/1 slack+https://hooks.example/T/2 smtp://u:pw@m?from=a@b&to=c@d"
    settings = load_settings(database_url=DSN, alert_sinks=urls)
    names = list(open_sinks(settings))
    assert names == list(open_sinks(settings))
    assert [name.partition("#")[0] for name in names] == [
        "log", "slack:hooks.example", "slack:hooks.example", "smtp:m",
    ]  # fmt: skip
    assert len(set(names)) == 4
