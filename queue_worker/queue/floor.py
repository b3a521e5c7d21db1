"""Where a claim begins to look: what lies before it waits no more, as far as is known here.

Each job that is claimed leaves a dead entry at the front of the index by which the next one is
found. A vacuum removes them, but not while an older transaction is open: every claim would step
over all of them, and over more and more.

It is a hint, never a fact. What comes to wait before it, because its transaction has committed late
or somebody has let it wait again, is notified of, and lowers it. For what nobody was told of it
falls to the ground each poll interval.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from queue_worker.execution.run import Claim

_CLAIMED = 100  # claims after which it is found anew: to find it costs as much as a few of them
_INTERVAL = 0.1  # seconds that pass before it is found again


class Levels(NamedTuple):
    """From where on each kind of job may wait.

    Attributes:
        ready: the lowest id of what is due at once and free of locks.
        later: the time of what was scheduled and is free of locks, in seconds since 1970.
        locked: as `ready`, of what needs a lock.
        locked_later: as `later`, of what needs a lock.
    """

    ready: int
    later: float
    locked: int
    locked_later: float

    def no_higher_than(self, queue_job_id: float, due: float) -> Levels:
        """Lowered where they are above this id or this time."""
        return Levels(
            int(min(self.ready, queue_job_id)),
            min(self.later, due),
            int(min(self.locked, queue_job_id)),
            min(self.locked_later, due),
        )


GROUND = Levels(0, -math.inf, 0, -math.inf)


class Floor:
    """The floor of one process.

    Attributes:
        levels: where claims begin to look; at first at everything.
        highest_claimed: the highest id that was claimed here; where nothing waits it rises to that.
    """

    def __init__(self) -> None:
        self.levels = GROUND
        self.highest_claimed = 0
        self._has_fallen = False  # since it was found
        self._claimed = 0  # since it was found
        self._found_at = -math.inf
        self._told = (math.inf, math.inf)  # the lowest id and time, while it is being found

    def lower(self, queue_job_id: int, due: float) -> None:
        """Something may wait that has this id or is due at this time, in seconds since 1970."""
        self._told = (min(self._told[0], queue_job_id), min(self._told[1], due))
        lowered = self.levels.no_higher_than(queue_job_id, due)
        self._has_fallen = self._has_fallen or lowered != self.levels
        self.levels = lowered

    def took(self, claims: Sequence[Claim]) -> None:
        """These were claimed."""
        self._claimed += len(claims)
        ids = (claim.queue_job_id for claim in claims)
        self.highest_claimed = max([self.highest_claimed, *ids])

    @property
    def is_due(self) -> bool:
        """Whether it should be found anew."""
        is_worth_it = self._has_fallen or self._claimed >= _CLAIMED
        return is_worth_it and time.monotonic() - self._found_at >= _INTERVAL

    async def find(self, ask: Callable[[Levels], Awaitable[Levels]]) -> None:
        """Move it up to what waits now.

        A job whose transaction commits after this look has begun may come before that. It is told
        of before or after the answer is here, and counts in both cases.

        Args:
            ask: from these levels on, where something waits.
        """
        self._found_at, self._told = time.monotonic(), (math.inf, math.inf)
        found = await ask(self.levels)
        self.levels = found.no_higher_than(*self._told)
        self._claimed, self._has_fallen = 0, False
