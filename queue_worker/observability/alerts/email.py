"""E-mail, through an SMTP server of yours."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage

import aiosmtplib

from queue_worker.errors import SinkDown, SinkRefused
from queue_worker.observability.alerts.message import AlertMessage, presentable

_FOR_GOOD = 500  # SMTP: from here on a refusal is for good


@dataclass(frozen=True, slots=True)
class EmailSink:
    """Sends one mail for each message.

    Attributes:
        is_encrypted: whether TLS is spoken from the start; else STARTTLS wherever it is offered.
        timeout: seconds for all of it.
    """

    name: str
    host: str
    port: int
    username: str | None
    password: str | None
    sender: str
    recipients: tuple[str, ...]
    is_encrypted: bool
    timeout: float

    async def send(self, message: AlertMessage) -> str:
        """Send it; its Message-ID is made of its id, so that a mailbox knows it again."""
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Subject"] = message.title
        mail["Date"] = message.at
        mail["Message-ID"] = f"<{message.id}@queue-worker>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        try:
            async with asyncio.timeout(self.timeout):
                _, answer = await aiosmtplib.send(
                    mail,
                    hostname=self.host,
                    port=self.port,
                    username=self.username,
                    password=self.password,
                    use_tls=self.is_encrypted,
                    timeout=self.timeout,
                )
        except aiosmtplib.SMTPResponseException as error:
            kind = SinkRefused if error.code >= _FOR_GOOD else SinkDown
            raise kind(f"{error.code} {presentable(error.message)}") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise SinkDown(f"no mail could be sent ({type(error).__name__})") from None
        return presentable(answer)
