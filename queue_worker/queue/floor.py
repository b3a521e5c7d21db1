"""Where a claim begins to look: the id below which nothing waits, as far as is known here.

Each job that is claimed leaves a dead entry at the front of the index by which the next one is
found. A vacuum removes them, but not while an older transaction is open: every claim would step
over all of them, and over more and more.

It is a hint, never a fact. What comes to wait below it, because its transaction has committed late
or somebody has let it wait again, is notified of, and lowers it. For what nobody was told of it
falls to 0 each poll interval.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence

from queue_worker.execution.run import Claim

_CLAIMED = 100  # claims after which it is found anew: to find it costs as much as a few of them
_INTERVAL = 0.1  # seconds that pass before it is found again


class Floor:
    """The floor of one process.

    Attributes:
        id: the lowest id that a claim looks at; at first 0, for everything.
    """

    def __init__(self) -> None:
        self.id = 0
        self._has_fallen = False  # since it was found
        self._claimed = 0  # since it was found
        self._highest = 0  # of the ids that were claimed
        self._found_at = -math.inf
        self._lowest_told = math.inf  # while it is being found

    def lower(self, queue_job_id: int) -> None:
        """Something may wait that has this id; 0 for anything."""
        self._lowest_told = min(self._lowest_told, queue_job_id)
        if queue_job_id < self.id:
            self.id = queue_job_id
            self._has_fallen = True

    def took(self, claims: Sequence[Claim]) -> None:
        """These were claimed."""
        self._claimed += len(claims)
        self._highest = max([self._highest, *(claim.queue_job_id for claim in claims)])

    @property
    def is_due(self) -> bool:
        """Whether it should be found anew."""
        is_worth_it = self._has_fallen or self._claimed >= _CLAIMED
        return is_worth_it and time.monotonic() - self._found_at >= _INTERVAL

    async def find(self, ask: Callable[[int], Awaitable[int | None]]) -> None:
        """Move it up to the lowest id that waits now.

        A job whose transaction commits after this look has begun may have a lower id. That is told
        of before or after the answer is here, and counts in both cases.

        Args:
            ask: the lowest id from this one on that waits; None if nothing does.
        """
        self._found_at, self._lowest_told = time.monotonic(), math.inf
        lowest = await ask(self.id)
        self.id = int(min(self._highest if lowest is None else lowest, self._lowest_told))
        self._claimed, self._has_fallen = 0, False
