"""A hundred more services, by the library apprise (the extra `apprise`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from queue_worker.errors import SinkDown, SinkRefused
from queue_worker.observability.alerts.message import AlertMessage


@dataclass(frozen=True, slots=True)
class AppriseSink:
    """Hands each message to apprise; its addresses are not checked as those of other sinks are.

    Attributes:
        address: one of apprise's own URLs.
        timeout: seconds to wait for it.
    """

    name: str
    address: str
    timeout: float

    async def send(self, message: AlertMessage) -> str:
        """Notify."""
        import apprise  # noqa: PLC0415  an optional library, loaded where it is used

        service = apprise.Apprise()
        if not service.add(self.address):
            raise SinkRefused("apprise does not know such an address")
        try:
            async with asyncio.timeout(self.timeout):
                is_sent = await service.async_notify(body=message.text, title=message.title)
        except TimeoutError:
            raise SinkDown(f"no answer within {self.timeout:g} s") from None
        if not is_sent:
            raise SinkDown("apprise could not deliver it")
        return "sent"
