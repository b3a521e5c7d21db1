"""Where a claim begins to look: the id below which nothing waits, as far as is known here.

Each job that is claimed leaves a dead entry at the front of the index by which the next one is
found. A vacuum removes them, but not while an older transaction is open: every claim would step
over all of them, and over more and more.

It is a hint, never a fact. What comes to wait below it, because its transaction has committed late
or somebody has let it wait again, is notified of, and lowers it. What nobody was told of is found
by the look at everything that is due each poll interval.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence

from queue_worker.execution.run import Claim

_CLAIMED = 100  # claims after which it is found anew: a look for it costs as much as a few of them
_INTERVAL = 0.1  # seconds that pass between two looks for it


class Floor:
    """The floor of one process; at first 0, for everything."""

    def __init__(self) -> None:
        self._id = 0
        self._is_lifted = False
        self._claimed = 0  # since it was found
        self._highest = 0  # of the ids that were claimed
        self._found = -math.inf
        self._told = math.inf  # the lowest id that was told of while it was looked for

    def lower(self, queue_job_id: int) -> None:
        """Something may wait that has this id; 0 for anything."""
        self._id = min(self._id, queue_job_id)
        self._told = min(self._told, queue_job_id)

    def look_everywhere(self) -> None:
        """The next claim looks at everything."""
        self._is_lifted = True

    def begin(self) -> int:
        """The id from which on this claim is to look."""
        if self._is_lifted:
            self._is_lifted = False
            return 0
        return self._id

    def took(self, claims: Sequence[Claim]) -> None:
        """These were claimed; below the floor there may be more like them."""
        if claims:
            ids = [claim.queue_job_id for claim in claims]
            self._claimed += len(ids)
            self._highest = max(self._highest, *ids)
            self.lower(min(ids))

    @property
    def is_due(self) -> bool:
        """Whether so much was claimed that it should be found anew."""
        return self._claimed >= _CLAIMED and time.monotonic() - self._found >= _INTERVAL

    async def find(self, ask: Callable[[int], Awaitable[int | None]]) -> None:
        """Move it up to the lowest id that waits now.

        Args:
            ask: the lowest id from this one on that waits and may be claimed, or None.
        """
        self._told = math.inf
        lowest = await ask(self._id)
        self._id = int(min(self._highest if lowest is None else lowest, self._told))
        self._claimed, self._found = 0, time.monotonic()
