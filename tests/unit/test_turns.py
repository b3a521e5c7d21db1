"""A notification wakes as many workers as there is work for, and the others as a backstop."""

from __future__ import annotations

import json
import math

import pytest

from queue_worker.worker.turns import EVERYTHING, Place, read_hint


def waits(job_id: int, workers: int, **told: object) -> list[float]:
    payload = json.dumps({"type": "job_inserted", "job_id": job_id, **told})
    return [read_hint(payload, Place(rank, workers)).wait for rank in range(workers)]


def test_a_worker_without_siblings_never_waits() -> None:
    assert all(waits(job_id, 1) == [0.0] for job_id in range(10))


@pytest.mark.parametrize("count", [1, 3, 50, 1_000])
def test_as_many_look_at_once_as_there_are_jobs(count: int) -> None:
    assert waits(17, 50, count=count).count(0.0) == min(count, 50)


def test_a_few_follow_shortly_and_the_rest_as_a_backstop() -> None:
    found = sorted(waits(17, 50))
    assert found[1:4] == [0.005, 0.01, 0.015]
    assert all(0.2 <= wait <= 0.3 for wait in found[4:])


def test_the_turn_goes_round() -> None:
    assert {waits(job_id, 5).index(0.0) for job_id in range(5)} == set(range(5))


@pytest.mark.parametrize(
    "payload",
    [
        "", "x", "[]", "null", "{}", '{"job_id": "x"}', '{"job_id": 1, "count": "many"}',
        '{"job_id": 1e999}', '{"job_id": 1, "first_id": [1]}',
        '{"job_id": 1, "first_due": {}}', '{"job_id": 1, "first_due": "soon"}', "[" * 3_000,
    ],
)  # fmt: skip
def test_what_is_no_notification_of_ours_is_only_a_hint_to_look(payload: str) -> None:
    assert read_hint(payload, Place(3, 9)) == EVERYTHING


@pytest.mark.parametrize(
    ("told", "first_id", "first_due"),
    [
        ({"first_id": 7}, 7, math.inf),
        ({"first_id": 7, "first_due": 1e9}, 7, 1e9),
        ({"first_id": 7, "first_due": -math.inf}, 7, -math.inf),
        ({"first_id": 7, "first_due": -1e300}, 7, -math.inf),
        ({"first_id": 7, "first_due": math.nan}, 7, -math.inf),
        ({}, 0, -math.inf),
        ({"first_id": -(10**30)}, 0, -math.inf),
    ],
)
def test_a_hint_says_from_where_on_there_is_something_new(
    told: dict[str, float], first_id: int, first_due: float
) -> None:
    hint = read_hint(json.dumps({"job_id": 9, **told}), Place())
    assert (hint.first_id, hint.first_due) == (first_id, first_due)
