"""What a job prints, as lines of the log: bound to its run, and never in the middle of another."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import structlog

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("queue_worker.output")

_LONGEST_LINE = 8_000  # characters; a longer one is broken


class LineLog(io.TextIOBase):
    """A text stream whose lines are logged.

    Args:
        stream: the name of the stream that this stands for.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._say(line)
        if len(self._begun) > _LONGEST_LINE:
            self.end_line()
        return len(text)

    def end_line(self) -> None:
        """Log what was written since the last line."""
        begun, self._begun = self._begun, ""
        self._say(begun)

    def _say(self, line: str) -> None:
        if line.strip():
            log.info("job.printed", stream=self._stream, text=line)


@contextmanager
def logged_output() -> Iterator[None]:
    """Standard output and standard error of Python code go to the log while the block lasts."""
    out, error = LineLog("stdout"), LineLog("stderr")
    with redirect_stdout(out), redirect_stderr(error):
        try:
            yield
        finally:
            out.end_line()
            error.end_line()
