"""The deadlines of all runs of a process, on one timer: one for each run takes much longer to set.

Runs of the same timeout expire in the order in which they began, so of each timeout only the
first has to be looked at.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Iterator

from queue_worker.execution.execution import Execution

_ROUNDING = 0.001  # seconds; a loop that counts milliseconds may be early by one


class Deadlines:
    """Cancels each run that has lasted as long as it may."""

    def __init__(self) -> None:
        self._runs: defaultdict[float, dict[Execution, None]] = defaultdict(dict)  # by timeout
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf  # by time.monotonic(): when the timer goes off

    def add(self, execution: Execution, timeout: float) -> None:
        """A run has begun; it may last `timeout` seconds."""
        self._runs[timeout][execution] = None
        due = execution.started + timeout
        if due < self._due:
            self._set_timer(due)

    def discard(self, execution: Execution, timeout: float) -> None:
        """It is over. The timer stays: as a rule it is needed for the next one."""
        self._runs[timeout].pop(execution, None)

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        wait = max(0.0, due - time.monotonic()) + _ROUNDING
        self._timer = asyncio.get_running_loop().call_later(wait, self._expire)

    def _expire(self) -> None:
        self._timer, self._due = None, math.inf
        try:
            for execution, timeout in self._take_expired():
                execution.expire(timeout)
        finally:
            firsts = (
                next(iter(runs)).started + timeout for timeout, runs in self._runs.items() if runs
            )
            if (due := min(firsts, default=None)) is not None:
                self._set_timer(due)

    def _take_expired(self) -> Iterator[tuple[Execution, float]]:
        now = time.monotonic()
        for timeout, runs in self._runs.items():
            while runs and (first := next(iter(runs))).started + timeout <= now:
                del runs[first]
                yield first, timeout
