"""What every sink is: a name, and a way to take one message."""

from __future__ import annotations

from typing import Protocol

from queue_worker.observability.alerts.message import AlertMessage


class Sink(Protocol):
    """Takes messages. The same one may come twice: its id says so."""

    @property
    def name(self) -> str:
        """The same in every process with the same settings; holds no secret."""

    async def send(self, message: AlertMessage) -> str:
        """Deliver one message; returns what was answered.

        Raises:
            SinkRefused: it was refused.
            SinkDown: there was no answer, or none that concerns the message.
        """
