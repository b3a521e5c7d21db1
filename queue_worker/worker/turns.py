"""Whose turn it is: a notification reaches every worker of a fleet, one of them is enough."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass

_SECOND_CHANCES = 3  # workers that follow one after the other, in case those before them are busy
_STEP = 0.005  # seconds between them
_BACKSTOP = 0.25  # seconds after which all others look too


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker stands among those that serve the same queues and know the same jobs.

    Attributes:
        rank: how many of them come before it.
        workers: how many they are, this one included.
    """

    rank: int = 0
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Hint:
    """What a notification tells one worker.

    Only a hint: what is malformed or forged costs a look at the wrong moment, nothing else.

    Attributes:
        wait: seconds until this worker is to look.
        first_id: the lowest id of the jobs it tells of; 0 for any.
        first_due: the earliest time that they were scheduled for, in seconds since 1970; -inf for
            any, inf where none was scheduled.
    """

    wait: float
    first_id: int
    first_due: float


EVERYTHING = Hint(wait=0.0, first_id=0, first_due=-math.inf)


def read_hint(payload: str, place: Place) -> Hint:
    """What this payload tells a worker that stands here in its fleet."""
    try:
        told = json.loads(payload)
        job_id, count = int(told["job_id"]), max(1, int(told.get("count", 1)))
        first_id = max(0, int(told.get("first_id", 0)))
        first_due = float(told.get("first_due", math.inf if first_id else -math.inf))
        if not first_due >= 0:  # NaN, or a moment that Postgres may not have
            first_due = -math.inf
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return EVERYTHING
    return Hint(_wait_for_turn(job_id, count, place), first_id, first_due)


def _wait_for_turn(job_id: int, count: int, place: Place) -> float:
    turn = (place.rank - job_id) % place.workers
    if turn < count:
        return 0.0
    if turn < count + _SECOND_CHANCES:
        return (turn - count + 1) * _STEP
    return _BACKSTOP * random.uniform(0.8, 1.2)
