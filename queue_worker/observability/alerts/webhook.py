"""A webhook of your own: the message as JSON, signed as https://www.standardwebhooks.com says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from queue_worker.observability.alerts.http import Poster
from queue_worker.observability.alerts.message import AlertMessage


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """Posts each message.

    Attributes:
        name: its name.
        url: where to.
        secret: the bytes that it is signed with; None for no signature.
        poster: the way there.
    """

    name: str
    url: str
    secret: bytes | None
    poster: Poster

    async def send(self, message: AlertMessage) -> str:
        """Post it; the header webhook-id is its id, however often it comes."""
        body = json.dumps(message.facts).encode()
        moment = str(int(time.time()))
        headers = {"webhook-id": message.id, "webhook-timestamp": moment}
        if self.secret is not None:
            headers["webhook-signature"] = sign(self.secret, message.id, moment, body)
        return await self.poster.post_bytes(self.url, body, headers)


def sign(secret: bytes, message_id: str, moment: str, body: bytes) -> str:
    """The signature of a body, as the header has it."""
    signed = b".".join([message_id.encode(), moment.encode(), body])
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
