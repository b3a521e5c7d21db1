"""Tell systemd how this worker is, as sd_notify(3) has it: a datagram to the socket it names."""

from __future__ import annotations

import contextlib
import os
import socket


class Supervisor:
    """Who has started this process and wants to hear of it; without one, nothing is sent.

    Safe to call from any thread; it waits for nothing, and what can't be sent is dropped.
    """

    def __init__(self) -> None:
        """Read NOTIFY_SOCKET, and take it out: a child process must not speak for this one."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        """It serves its queues."""
        self._tell("READY=1")

    def alive(self) -> None:
        """Its event loop is of use."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """It claims nothing more, and ends when its runs have."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),  # nobody listens, or not now, or there is no descriptor
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line,
        ):
            line.setblocking(False)
            line.sendto(message.encode(), self._address)
