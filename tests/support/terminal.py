"""A real terminal for a command: what is on its screen, its keys, its size."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyte

from tests.support.eventually import eventually
from tests.support.processes import REPOSITORY, command


class Terminal:
    """A command in a pseudo terminal of its own; `screen` is what somebody would see."""

    def __init__(
        self, env: dict[str, str], *arguments: str, columns: int = 80, lines: int = 24
    ) -> None:
        self.sent = b""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._master, self._slave = pty.openpty()
        self._set_size(columns, lines)
        self.mode_before = self.mode()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command(*arguments)], env={"TERM": "xterm-256color", **env},
            cwd=REPOSITORY, stdin=self._slave, stdout=self._slave, stderr=self._slave,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def screen(self) -> str:
        """The lines on the screen, without the blanks at their ends."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, *words: str, within: float = 20) -> str:
        """The screen once all these words are on it."""
        eventually(
            lambda: all(word in self.screen for word in words) or self._ended(), within=within
        )
        screen = self.screen
        assert all(word in screen for word in words), screen
        return screen

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, columns: int, lines: int) -> None:
        with self._lock:
            self._screen.resize(lines, columns)
        self._set_size(columns, lines)

    def end(self, within: float = 10) -> int:
        """Wait for the end of the command; returns its exit code."""
        return self.process.wait(within)

    def mode(self) -> list[Any]:
        """How the terminal treats its keys."""
        return termios.tcgetattr(self._slave)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self._slave)
        self._reader.join(5)
        os.close(self._master)

    def _ended(self) -> bool:
        return self.process.poll() is not None

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # the last one who had it open has closed it
                return
            with self._lock:
                self.sent += data
                self._stream.feed(data)


@contextmanager
def terminal(
    env: dict[str, str], *arguments: str, columns: int = 80, lines: int = 24
) -> Iterator[Terminal]:
    """A command in a terminal; killed at the end of the block if it still lives."""
    found = Terminal(env, *arguments, columns=columns, lines=lines)
    try:
        yield found
    finally:
        found.close()
