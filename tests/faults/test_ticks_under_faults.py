"""No tick is fired twice, whoever stops, dies or lags while it is due."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from queue_worker.worker import timing
from tests.support.eventually import eventually
from tests.support.faults import Scene, freeze, kill, scene, thaw


@pytest.mark.fault("F33", "P6", "P29")
@pytest.mark.slow
@pytest.mark.parametrize("seconds", [6, pytest.param(22, marks=pytest.mark.slow_soak)])
def test_workers_paused_and_killed_across_ticks_fire_none_twice(
    ticking: Scene, seconds: float
) -> None:
    """Three workers, one schedule: one of them is stopped across several ticks, one is killed."""
    workers = [ticking.start_worker() for _ in range(3)]
    eventually(lambda: len(ticking.notes.lines("tick")) >= 2)
    freeze(workers[0])
    kill(workers.pop(1))
    time.sleep(seconds)  # the fault itself: several ticks
    thaw(workers[0])
    seen = len(ticking.notes.lines("tick"))
    eventually(lambda: len(ticking.notes.lines("tick")) >= seen + 3)
    if seconds > timing.FROZEN:  # it was found dead meanwhile
        assert workers.pop(0).process.wait(10) == 70
    ticking.check_stops(*workers)
    ticks = [due for due, _ in ticking.notes.lines("tick")]
    assert len(ticks) == len(set(ticks))
    fired = ticking.rows(
        "SELECT due_at, count(*) FROM queue_worker.run WHERE outcome = 'succeeded'"
        " GROUP BY due_at HAVING count(*) > 1"
    )
    assert fired == []
    decided = ticking.rows("SELECT due_at, state, reason FROM queue_worker.tick ORDER BY due_at")
    gaps = [(b[0] - a[0]).total_seconds() for a, b in itertools.pairwise(decided)]
    assert set(gaps) == {1.0}  # one that did not fire has a row that says why
    assert all(reason for _, state, reason in decided if state not in {"enqueued", "backfilled"})


@pytest.mark.fault("F37")
def test_a_run_that_outlasts_its_interval_neither_overlaps_nor_piles_up(
    database: str, tmp_path: Path
) -> None:
    """A job of 2.5 seconds that is due every second, with three workers."""
    with scene(database, tmp_path, "with_long_ticks") as stage:
        workers = [stage.start_worker() for _ in range(3)]
        most = 0
        while len(stage.notes.lines("end")) < 3:
            ((waiting,),) = stage.rows(
                "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
            )
            most = max(most, waiting)
            time.sleep(0.05)
        assert most <= 1
        stage.check_stops(*workers)
        stage.check_no_overlap()
        assert stage.rows("SELECT DISTINCT outcome FROM queue_worker.run") == [("succeeded",)]
