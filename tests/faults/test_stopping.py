"""A worker that is asked to stop ends in time, and nothing stays claimed."""

from __future__ import annotations

import signal
import time

import psycopg

from tests.support.eventually import eventually
from tests.support.faults import Scene, is_alive


def test_a_long_locked_run_is_drained_while_a_second_worker_waits(stage: Scene) -> None:
    """SIGTERM with a job that outlasts the old worker's silence limit; nobody takes it for dead."""
    old = stage.start_worker()
    long = stage.begin("locked", seconds=6)
    new = stage.start_worker()
    after = stage.enqueue("locked")
    assert old.stop(signal.SIGTERM) == 0
    assert stage.wait_for_run(long, "succeeded")["attempt"] == 1
    stage.wait_for_run(after, "succeeded")
    stage.check_no_overlap()
    stage.check_stops(new)


def test_what_outlasts_the_drain_is_cancelled_or_given_back(stage: Scene) -> None:
    """SIGTERM with long jobs: the restartable one goes back to the queue, the other is cancelled."""
    old = stage.start_worker(QUEUE_WORKER_DRAIN_TIMEOUT="1")
    again = stage.begin("locked_again", seconds=3)
    never = stage.begin("work", seconds=50)
    new = stage.start_worker()
    began = time.monotonic()
    assert old.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 5
    stage.wait_for_run(again, "cancelled")
    stage.wait_for_run(never, "cancelled")
    stage.wait_for_run(again, "succeeded", attempt=2)
    stage.check_nothing_lost(again, never)
    stage.check_no_overlap()
    stage.check_stops(new)


def test_a_second_sigterm_hurries_and_leaves_nothing_claimed(stage: Scene) -> None:
    """SIGTERM twice within a second."""
    worker = stage.start_worker()
    locked, free = stage.begin("locked", seconds=50), stage.begin("work_again", seconds=50)
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_for("worker.draining")
    began = time.monotonic()
    assert worker.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 5
    stage.wait_for_run(locked, "cancelled")
    stage.wait_for_run(free, "cancelled")
    assert stage.rows("SELECT status FROM procrastinate_jobs ORDER BY id") == [
        ("aborted",),
        ("todo",),
    ]


def test_a_plain_job_that_never_returns_does_not_keep_the_process(stage: Scene) -> None:
    """A sync job that ignores SIGTERM, in a worker that gets one."""
    worker = stage.start_worker(QUEUE_WORKER_DRAIN_TIMEOUT="1", QUEUE_WORKER_CANCEL_GRACE="1")
    job = stage.begin("plain_for_ever")
    child = stage.notes.spans()[0].pid
    began = time.monotonic()
    assert worker.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began <= 1 + 1 + 5
    stage.wait_for_run(job, "cancelled")
    eventually(lambda: not is_alive(child))


def test_a_run_that_cannot_be_closed_in_time_is_left_to_a_sibling(stage: Scene) -> None:
    """Its row is locked until after its worker has gone: it must not stay claimed by nobody."""
    worker = stage.start_worker(QUEUE_WORKER_DRAIN_TIMEOUT="1", QUEUE_WORKER_CANCEL_GRACE="1")
    job = stage.begin("work", seconds=0.5)
    with psycopg.connect(stage.dsn) as blocker:
        blocker.execute("SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", [job])
        worker.wait_for("job.close_blocked")
        assert worker.stop(signal.SIGTERM) == 70
        worker.wait_for("jobs.left_behind")
    sibling = stage.start_worker()
    stage.wait_for_run(job, "lost")
    stage.check_nothing_lost(job)
    stage.check_stops(sibling)
