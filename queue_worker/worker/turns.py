"""Whose turn it is: a notification reaches every worker of a fleet, one of them is enough."""

from __future__ import annotations

import json
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


def wait_for_turn(payload: str, place: Place) -> float:
    """Seconds until this worker is to look for what a notification tells of.

    Only a hint: what is malformed or forged costs a look at the wrong moment, nothing else.
    """
    try:
        told = json.loads(payload)
        first, count = int(told["job_id"]), max(1, int(told.get("count", 1)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0.0
    turn = (place.rank - first) % place.workers
    if turn < count:
        return 0.0
    if turn < count + _SECOND_CHANCES:
        return (turn - count + 1) * _STEP
    return _BACKSTOP * random.uniform(0.8, 1.2)
