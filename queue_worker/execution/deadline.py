"""The time limit of a run on the event loop."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """Cancels the task that entered it when its time is up, and remembers that it did.

    `asyncio.timeout` turns the cancellation into a TimeoutError, which cannot be told from one
    that the job raised by itself; and it knows nothing of a job that swallows the cancellation.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self.expired = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._expire)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self.expired and self._task is not None:
            self._task.uncancel()

    def _expire(self) -> None:
        self.expired = True
        if self._task is not None:
            self._task.cancel()
