"""A worker that was stopped and wakes up is a zombie: it changes nothing, and ends itself."""

from __future__ import annotations

import time

import pytest

from tests.support.eventually import eventually
from tests.support.faults import Scene, freeze, now, thaw


@pytest.mark.fault("F4", "P5")
@pytest.mark.slow
def test_a_zombies_close_changes_nothing_and_it_ends_itself_within_2_seconds(stage: Scene) -> None:
    """SIGSTOP until a sibling has taken over, then SIGCONT while that one runs the job again."""
    victim = stage.start_worker("--concurrency", "2")
    job = stage.begin("locked_again", seconds=6)
    sibling = stage.start_worker()
    frozen_at = now()
    freeze(victim)
    sibling.wait_for("worker.lost", within=25)
    assert now() - frozen_at <= 20
    eventually(lambda: stage.notes.started(f"{job}.2"))

    thawed_at = thaw(victim)
    code = victim.process.wait(10)
    assert now() - thawed_at <= 2
    assert code not in {0, None}

    stage.wait_for_run(job, "lost")
    assert stage.rows("SELECT status FROM procrastinate_jobs WHERE id = %s", job) == [("doing",)]
    stage.wait_for_run(job, "succeeded", attempt=2)
    assert stage.rows("SELECT attempt, outcome FROM queue_worker.run ORDER BY 1") == [
        (1, "lost"),
        (2, "succeeded"),
    ]
    zombie = next(span for span in stage.notes.spans() if span.run_id == f"{job}.1")
    assert zombie.end - thawed_at <= 2
    victim.wait_for("worker.failed")
    stage.check_nothing_lost(job)
    stage.check_stops(sibling)


def test_a_short_stop_harms_nobody(stage: Scene) -> None:
    """SIGSTOP for less than the silence limit: the worker goes on as if nothing had been."""
    worker, sibling = stage.start_worker(), stage.start_worker()
    job = stage.begin("work", seconds=4)
    freeze(worker)
    freeze(sibling)
    time.sleep(3)  # the fault itself
    thaw(worker)
    thaw(sibling)
    stage.wait_for_run(job, "succeeded")
    stage.check_goes_on()
    stage.check_stops(worker, sibling)


@pytest.mark.fault("P5")
def test_a_worker_that_others_have_pruned_ends_its_runs_and_then_itself(stage: Scene) -> None:
    """A plain worker beside it takes it for dead, with procrastinate's own function."""
    worker = stage.start_worker()
    job = stage.begin("work", seconds=50)
    pruned_at = now()
    stage.rows("SELECT procrastinate_prune_stalled_workers_v1(0)")
    assert worker.process.wait(15) == 70
    assert now() - pruned_at <= 5
    assert stage.notes.time_of_end(f"{job}.1") - pruned_at <= 2
    worker.wait_for("worker.failed")
    assert stage.wait_for_run(job, "lost")["error_class"] == "ClaimLost"
