"""The floor rises past what is done, and never stays above what somebody has told of."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from queue_worker.queue import floor as floors
from queue_worker.queue.floor import Floor


@pytest.fixture
def floor() -> Floor:
    return Floor()


def claims(*ids: int) -> list[Any]:
    return [Mock(queue_job_id=queue_job_id) for queue_job_id in ids]


async def rise(floor: Floor, lowest: int | None) -> None:
    async def ask(_: int) -> int | None:
        return lowest

    await floor.find(ask)


async def test_it_begins_with_everything_and_rises_to_what_waits(floor: Floor) -> None:
    assert floor.id == 0
    await rise(floor, 70)
    assert floor.id == 70


async def test_it_is_looked_for_from_where_it_was(floor: Floor) -> None:
    asked = []

    async def ask(since: int) -> int | None:
        asked.append(since)
        return 70

    await floor.find(ask)
    await floor.find(ask)
    assert asked == [0, 70]


async def test_where_nothing_waits_it_rises_to_what_was_claimed_last(floor: Floor) -> None:
    floor.took(claims(5, 9, 7))
    await rise(floor, None)
    assert floor.id == 9


async def test_what_is_told_of_lowers_it(floor: Floor) -> None:
    await rise(floor, 70)
    floor.lower(90)
    assert floor.id == 70
    floor.lower(60)
    assert floor.id == 60


async def test_what_is_told_of_while_it_is_looked_for_counts(floor: Floor) -> None:
    """The transaction may have committed after the look at the queue had begun."""

    async def ask(_: int) -> int | None:
        floor.lower(60)
        return 70

    await floor.find(ask)
    assert floor.id == 60


async def test_what_is_told_of_before_it_is_looked_for_is_part_of_the_answer(floor: Floor) -> None:
    await rise(floor, 70)
    floor.lower(60)
    await rise(floor, 80)
    assert floor.id == 80


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
    floor.lower(0)
    assert floor.is_due
