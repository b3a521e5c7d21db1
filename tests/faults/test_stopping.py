"""A worker that is asked to stop ends in time, and nothing stays claimed."""

from __future__ import annotations

import signal
import time

import psycopg
import pytest

from tests.support.eventually import eventually
from tests.support.faults import Scene, is_alive

SESSIONS_OF_WORKERS = (
    "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'queue_worker %%'"
    " AND datname = current_database()"
)


@pytest.mark.fault("F2", "P3")
@pytest.mark.parametrize(
    "seconds", [5, pytest.param(55, marks=[pytest.mark.slow_soak, pytest.mark.timeout(240)])]
)
def test_a_long_locked_run_is_drained_while_a_second_worker_waits(
    stage: Scene, seconds: float
) -> None:
    """SIGTERM with a long job: the heartbeat goes on to its end, so nobody takes it for dead."""
    old = stage.start_worker(QUEUE_WORKER_DRAIN_TIMEOUT="60")
    long = stage.begin("locked", seconds=seconds)
    new = stage.start_worker()
    after = stage.enqueue("locked")
    assert old.stop(signal.SIGTERM, within=seconds + 30) == 0
    assert stage.wait_for_run(long, "succeeded")["attempt"] == 1
    ((silent_for,),) = stage.rows(
        "SELECT extract(epoch FROM r.finished_at - w.last_heartbeat_at)::float8"
        " FROM queue_worker.run AS r JOIN queue_worker.worker AS w USING (worker_id)"
        " WHERE r.queue_job_id = %s",
        long,
    )
    assert silent_for < 2
    stage.wait_for_run(after, "succeeded")
    stage.check_no_overlap()
    stage.check_stops(new)


@pytest.mark.fault("P10")
def test_what_outlasts_the_drain_is_cancelled_or_given_back(stage: Scene) -> None:
    """SIGTERM with long jobs: the restartable one goes back to the queue, the other is cancelled."""
    old = stage.start_worker(QUEUE_WORKER_DRAIN_TIMEOUT="1")
    again = stage.begin("locked_again", seconds=6)
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


@pytest.mark.fault("F3", "P26")
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


@pytest.mark.fault("F22")
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
        # Its last close still waits in the server for a moment; let go now, it would rightly succeed.
        eventually(lambda: not stage.rows(SESSIONS_OF_WORKERS))
    sibling = stage.start_worker()
    stage.wait_for_run(job, "lost")
    stage.check_nothing_lost(job)
    stage.check_stops(sibling)


@pytest.mark.fault("P22", "P23")
def test_a_worker_that_has_lost_one_of_its_loops_ends_loudly(stage: Scene) -> None:
    """Somebody breaks what it claims with; what runs ends in peace, and nobody asked for a stop."""
    worker = stage.start_worker()
    job = stage.begin("work", seconds=2)
    stage.rows("ALTER TABLE procrastinate_jobs RENAME COLUMN args TO gone")
    assert worker.process.wait(20) == 70
    assert "the claimer ended" in worker.wait_for("worker.failed")["reason"]
    stage.wait_for_run(job, "succeeded")
    assert stage.rows("SELECT ended_how FROM queue_worker.worker") == [("failed",)]
