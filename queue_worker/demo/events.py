"""Sample events: some 50,000 over 60 days, the same for the same seed, with four real declines."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg

from queue_worker.schemas import renamed

DAYS = 60
DECLINE_DAYS = 7
CONTENTS = 40
LEARNERS = 600

_COPY = (
    "COPY content_pipeline.analytics_event "
    "(occurred_at, content_id, learner_id, event_type, value) FROM STDIN"
)
_WEEKDAYS = (1.1, 1.1, 1.1, 1.1, 1.0, 0.8, 0.8)


class Event(NamedTuple):
    """One thing that a learner did; `value` is the points of a score."""

    occurred_at: datetime
    content_id: str
    learner_id: str
    event_type: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Habit:
    """How learners use a content.

    Attributes:
        learners: how many come on an average day.
        completion: the share of them that completes it.
        drop_off: the share that gives it up.
        score: the mean score of those who complete it, of 100 points.
    """

    learners: float
    completion: float = 0.6
    drop_off: float = 0.08
    score: float = 75.0


_POPULAR = Habit(learners=30)

# What the last 7 days of these contents are like; before, they are as popular as _POPULAR.
_DECLINED = MappingProxyType(
    {
        "course-falling-engagement": replace(_POPULAR, learners=6),
        "course-falling-completion": replace(_POPULAR, completion=0.25),
        "course-falling-score": replace(_POPULAR, score=55.0),
        "course-unusual-drop-off": replace(_POPULAR, drop_off=0.35),
    }
)

# The signal that each seeded decline must lead to; no other content must have one.
DECLINES = MappingProxyType(
    {
        "course-falling-engagement": "falling_engagement",
        "course-falling-completion": "falling_completion",
        "course-falling-score": "falling_score",
        "course-unusual-drop-off": "unusual_drop_off",
    }
)


def sample_events(until: date, seed: int = 1) -> Iterator[Event]:
    """The events of the 60 UTC days before `until`, in no particular order.

    Args:
        until: the first day without events; the declines are in the 7 days before it.
        seed: the same seed gives the same events.
    """
    chance = random.Random(seed)
    usual = dict.fromkeys(_DECLINED, _POPULAR)
    for number in range(1, CONTENTS - len(usual) + 1):
        usual[f"course-{number:02}"] = _usual_habit(chance)
    for name, habit in usual.items():
        for age in range(DAYS, 0, -1):
            today = _DECLINED.get(name, habit) if age <= DECLINE_DAYS else habit
            yield from _events_of_day(chance, name, today, until - timedelta(days=age))


async def load_events(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], events: Iterable[Event]
) -> int:
    """Write events by COPY, in the caller's transaction if one is open; returns how many."""
    async with connection.cursor() as cursor:
        async with cursor.copy(renamed(_COPY)) as copy:
            for event in events:
                await copy.write_row(event)
        return cursor.rowcount


def _usual_habit(chance: random.Random) -> Habit:
    return Habit(
        learners=chance.uniform(3, 11),
        completion=chance.uniform(0.45, 0.75),
        drop_off=chance.uniform(0.04, 0.12),
        score=chance.uniform(65, 85),
    )


def _events_of_day(
    chance: random.Random, content_id: str, habit: Habit, day: date
) -> Iterator[Event]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for number in _learners_of_day(chance, habit.learners * _WEEKDAYS[day.weekday()]):
        learner_id = f"learner-{number:03}"
        # Early enough for all events of a visit to be of one day.
        begun = midnight + timedelta(seconds=chance.randrange(22 * 3600))
        yield Event(begun, content_id, learner_id, "view")
        if chance.random() < 0.3:  # noqa: PLR2004  a share of sample data
            yield Event(begun + timedelta(minutes=5), content_id, learner_id, "click", 1.0)
        fate = chance.random()
        if fate < habit.completion:
            done = begun + timedelta(minutes=chance.randrange(10, 90))
            yield Event(done, content_id, learner_id, "complete")
            points = min(100.0, max(0.0, chance.gauss(habit.score, 12)))
            yield Event(done, content_id, learner_id, "score", round(points, 1))
        elif fate > 1 - habit.drop_off:
            yield Event(begun + timedelta(minutes=3), content_id, learner_id, "drop_off")


def _learners_of_day(chance: random.Random, mean: float) -> list[int]:
    """Distinct learners; their number scatters as that of independent visits does."""
    visits = max(0, round(chance.gauss(mean, mean**0.5)))
    return chance.sample(range(LEARNERS), min(visits, LEARNERS))
