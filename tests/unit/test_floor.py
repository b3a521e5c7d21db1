"""The floor rises past what is done, and never stays above what somebody has told of."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import Mock

import pytest

from queue_worker.queue import floor as floors
from queue_worker.queue.floor import GROUND, Floor, Levels


@pytest.fixture
def floor() -> Floor:
    return Floor()


def claims(*ids: int) -> list[Any]:
    return [Mock(queue_job_id=queue_job_id) for queue_job_id in ids]


def all_at(level: int) -> Levels:
    return Levels(level, level, level, level)


async def rise(floor: Floor, level: int) -> None:
    async def ask(_: Levels) -> Levels:
        return all_at(level)

    await floor.find(ask)


async def test_it_begins_with_everything_and_rises_to_what_waits(floor: Floor) -> None:
    assert floor.levels == GROUND == (0, -math.inf, 0, -math.inf)
    await rise(floor, 70)
    assert floor.levels == all_at(70)


async def test_it_is_looked_for_from_where_it_was(floor: Floor) -> None:
    asked = []

    async def ask(since: Levels) -> Levels:
        asked.append(since)
        return all_at(70)

    await floor.find(ask)
    await floor.find(ask)
    assert asked == [GROUND, all_at(70)]


def test_it_knows_the_highest_id_that_was_claimed(floor: Floor) -> None:
    floor.took(claims(5, 9, 7))
    floor.took(claims(8))
    assert floor.highest_claimed == 9


async def test_what_is_told_of_lowers_it(floor: Floor) -> None:
    await rise(floor, 70)
    floor.lower(90, math.inf)
    assert floor.levels == all_at(70)
    floor.lower(60, math.inf)
    assert floor.levels == (60, 70, 60, 70)
    floor.lower(90, 50.0)
    assert floor.levels == (60, 50, 60, 50)
    floor.lower(0, -math.inf)
    assert floor.levels == GROUND


async def test_what_is_told_of_while_it_is_looked_for_counts(floor: Floor) -> None:
    """The transaction may have committed after the look at the queue had begun."""

    async def ask(_: Levels) -> Levels:
        floor.lower(60, 65.0)
        floor.lower(90, 90.0)
        return all_at(70)

    await floor.find(ask)
    assert floor.levels == (60, 65, 60, 65)


async def test_what_is_told_of_before_it_is_looked_for_is_part_of_the_answer(floor: Floor) -> None:
    await rise(floor, 70)
    floor.lower(60, 60.0)
    await rise(floor, 80)
    assert floor.levels == all_at(80)


async def test_it_is_looked_for_when_much_was_claimed_and_not_all_the_time(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 1_000.0
    monkeypatch.setattr(floors.time, "monotonic", lambda: moment)
    assert not floor.is_due
    floor.took(claims(*range(99)))
    assert not floor.is_due
    floor.took(claims(99))
    assert floor.is_due
    await rise(floor, 100)
    floor.took(claims(*range(100, 300)))
    assert not floor.is_due
    moment += 0.2
    assert floor.is_due


async def test_it_is_looked_for_when_it_has_fallen(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 1_000.0
    monkeypatch.setattr(floors.time, "monotonic", lambda: moment)
    await rise(floor, 70)
    moment += 0.2
    assert not floor.is_due
    floor.lower(0, -math.inf)
    assert floor.is_due
