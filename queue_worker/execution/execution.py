"""A run in progress: it can expire, be cancelled, and be given up if it ignores that."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from queue_worker.execution.failure import Failure
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim

# A child process is killed after the grace; what is not over some time later never will be.
_LAST_PATIENCE = 2.0  # seconds


class Execution:
    """One run in progress, in the task that created this.

    Attributes:
        claim: what is carried out.
        started: `time.monotonic()` when its function was about to be called.
        verdict: what it ends as once it was cancelled; None until then.
        grace: seconds that the job gets to clean up after its last cancellation.
        is_last: whether no attempt may follow, whatever the job's policy.
        is_given_up: whether it has ignored its cancellation, and was closed without its consent.
    """

    __slots__ = (
        "_cancellations", "_on_given_up", "_over_at", "_task", "_timer",
        "claim", "grace", "is_given_up", "is_last", "started", "verdict",
    )  # fmt: skip

    def __init__(
        self, claim: Claim, *, grace: float, on_given_up: Callable[[Execution], None]
    ) -> None:
        self.claim = claim
        self.started = time.monotonic()
        self.verdict: tuple[Outcome, Failure] | None = None
        self.grace = grace
        self.is_last = False
        self.is_given_up = False
        self._on_given_up = on_given_up
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._cancellations = 0
        self._over_at = math.inf  # by the loop's clock: when the grace of its cancellation ends

    def begin(self) -> None:
        """Its function is about to be called."""
        self.started = time.monotonic()

    def expire(self, timeout: float) -> None:
        """It has lasted `timeout` seconds, as long as it may."""
        failure = Failure("DeadlineExpired", f"the run took longer than its {timeout:g} seconds")
        self.cancel(Outcome.TIMED_OUT, failure)

    def cancel(
        self,
        outcome: Outcome,
        failure: Failure,
        *,
        grace: float | None = None,
        for_good: bool = False,
    ) -> None:
        """Cancel it: it ends with this outcome, whatever it does from now on.

        Cancelled again, it keeps its first outcome, unless it is lost: then others may hold its
        lock key. And it gets no more time than it had left; less, and its clean-up is cancelled.
        """
        if self._task is None or self.is_given_up:
            return
        self.is_last = self.is_last or for_good
        if self.verdict is None or (outcome is Outcome.LOST and self.verdict[0] is not outcome):
            self.verdict = (outcome, failure)
        self._hurry(self._task, self.grace if grace is None else grace)

    def end(self) -> None:
        """Its function has returned or raised."""
        self._stop_timer()
        for _ in range(self._cancellations):
            if self._task is not None:
                self._task.uncancel()

    def _hurry(self, task: asyncio.Task[Any], grace: float) -> None:
        """Cancel its task, unless it has to be over before this grace ends anyway."""
        loop = asyncio.get_running_loop()
        over_at = loop.time() + grace
        if over_at >= self._over_at:
            return
        self.grace, self._over_at = grace, over_at
        self._stop_timer()
        self._timer = loop.call_at(over_at + _LAST_PATIENCE, self._give_up)
        self._cancellations += 1
        task.cancel()

    def _give_up(self) -> None:
        self.is_given_up = True
        self._on_given_up(self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
