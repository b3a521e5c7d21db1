"""The keys of a terminal as they are pressed, and the terminal as it was afterwards."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self

END = "\x04"  # what is read when the terminal is gone: as if Ctrl-D had been pressed
_CONTROL_CHARACTERS = 6  # where tcgetattr has them


class Keyboard:
    """Used in a `with` block: keys come without Enter and are not shown; Ctrl-Z does nothing.

    Where standard input is no terminal there are no keys.
    """

    def __init__(self) -> None:
        self._terminal = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._terminal) if os.isatty(self._terminal) else None

    def __enter__(self) -> Self:
        if self._before:
            tty.setcbreak(self._terminal)
            mode = termios.tcgetattr(self._terminal)
            mode[_CONTROL_CHARACTERS][termios.VSUSP] = b"\0"
            termios.tcsetattr(self._terminal, termios.TCSANOW, mode)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before:
            termios.tcsetattr(self._terminal, termios.TCSAFLUSH, self._before)

    def pressed(self, within: float) -> str:
        """What was pressed within so many seconds; empty if nothing was."""
        watched = [self._terminal] if self._before else []
        if not select.select(watched, [], [], within)[0]:
            return ""
        return os.read(self._terminal, 1024).decode(errors="replace") or END
