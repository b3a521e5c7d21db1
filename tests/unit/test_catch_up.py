"""Which of the ticks that passed while no worker was there are run afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from queue_worker.worker.scheduler import ticks_to_run

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ages(*minutes: float) -> list[datetime]:
    return [NOW - timedelta(minutes=m) for m in minutes]


@pytest.mark.fault("P29")
@pytest.mark.parametrize(
    ("due", "catch_up", "run"),
    [
        (ages(0), 0, ages(0)),
        (ages(0), 1, ages(0)),
        (ages(15, 10, 5), 0, []),
        (ages(15, 10, 5), 1, ages(5)),
        (ages(15, 10, 5), 2, ages(10, 5)),
        (ages(15, 10, 5), 9, ages(15, 10, 5)),
        (ages(10, 5, 0), 0, ages(0)),
        (ages(10, 5, 0), 1, ages(0)),
        (ages(10, 5, 0), 2, ages(5, 0)),
    ],
)
def test_the_policy_is_for_late_ticks(
    due: list[datetime], catch_up: int, run: list[datetime]
) -> None:
    assert ticks_to_run(due, NOW, catch_up) == run
