"""A short soak: many jobs, many faults at once, and the promises checked from the jobs' ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.soak import Plan, soaked
from tests.support.soak_check import examine


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nothing_is_lost_and_no_lock_key_held_twice_under_many_faults(tmp_path: Path) -> None:
    plan = Plan(
        jobs=800, workers=3, kills=6, restarts=1, stops=2, drains=3, black_holes=1,
        longest_stop=16, minutes=0.8, seed=7,
    )  # fmt: skip
    with soaked(plan, tmp_path) as soak:
        figures = examine(soak)
    report = "\n".join(figures.lines())
    assert figures.lost == 0, report
    assert figures.left_doing == 0, report
    assert figures.fence_violations == 0, report
    assert figures.ticks_fired_twice == 0, report
    assert {cause: n for cause, n in figures.overlaps.items() if cause != "stop"} == {}, report
    assert figures.longest_overlap_after_resume <= 2, report
    unasked = {exit_ for exit_ in figures.unexpected_exits if exit_.startswith("none")}
    assert unasked <= {"none (exit 69)"}, report  # one that was started while the server was away
