"""A lock key is held by one run at a time, and by nobody who does not know that he holds it."""

from __future__ import annotations

import time

import psycopg
import pytest

from queue_worker import EnqueueRequest
from queue_worker.database import connect
from tests.support.eventually import eventually
from tests.support.faults import Scene, is_alive


def end_lock_session(stage: Scene) -> float:
    """A DBA terminates the session that holds the locks; returns when."""
    at = time.time()
    stage.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'queue_worker locks' AND datname = current_database()"
    )
    return at


def test_when_its_lock_session_ends_a_locked_run_is_lost_at_once(stage: Scene) -> None:
    """The worker goes on, and so do runs that hold no lock key."""
    worker = stage.start_worker()
    locked, free = stage.begin("locked", seconds=30), stage.begin("work", seconds=3)
    after = stage.enqueue("locked")
    at = end_lock_session(stage)
    lost = stage.wait_for_run(locked, "lost")
    assert lost["error_class"] == "LockSessionLost"
    assert stage.notes.time_of_end(f"{locked}.1") - at <= 2
    stage.wait_for_run(after, "succeeded")
    stage.wait_for_run(free, "succeeded")
    worker.wait_for("lock_session.lost")
    stage.check_no_overlap()
    stage.check_stops(worker)


@pytest.mark.parametrize("job", ["cleans_up", "plain_cleans_up"])
def test_a_run_that_loses_its_lock_while_it_cleans_up_has_no_more_time_for_that(
    stage: Scene, job: str
) -> None:
    """It was timed out and has half a minute of grace left when its lock session ends."""
    worker = stage.start_worker(QUEUE_WORKER_CANCEL_GRACE="30")
    cleaning = stage.begin(job)
    process = stage.notes.spans()[0].pid
    after = stage.enqueue("locked")
    eventually(lambda: stage.notes.lines("cleaning"))
    at = end_lock_session(stage)
    lost = stage.wait_for_run(cleaning, "lost")
    assert lost["error_class"] == "LockSessionLost"
    assert lost["finished"] - at <= 2
    assert process == worker.process.pid or not is_alive(process)
    stage.wait_for_run(after, "succeeded")
    stage.check_no_overlap({process: lost["finished"]})
    stage.check_stops(worker)


def test_a_run_that_ignores_the_loss_of_its_lock_ends_with_its_process_before_another_begins(
    stage: Scene,
) -> None:
    """Half a minute of grace and the drain are not waited for: nothing keeps others away any more."""
    worker = stage.start_worker(QUEUE_WORKER_CANCEL_GRACE="30")
    stubborn = stage.begin("stubborn")
    beside = stage.begin("work", seconds=30)  # would keep the worker draining
    eventually(lambda: len(stage.notes.lines("alive")) > 20)  # its deadline has passed
    sibling = stage.start_worker()
    after = stage.enqueue("locked")
    at = end_lock_session(stage)
    assert worker.process.wait(20) == 70
    died = time.time()
    assert died - at <= 2 + 2 + 1  # to notice, the last patience, noise
    stage.wait_for_run(stubborn, "lost")
    stage.wait_for_run(beside, "lost")
    stage.wait_for_run(after, "succeeded")
    stage.check_no_overlap({worker.process.pid: died})
    stage.check_stops(sibling)


@pytest.mark.fault("F15")
@pytest.mark.slow
def test_mixed_priorities_on_two_locks_end_no_worker(stage: Scene) -> None:
    """Four workers claim for the same locks in different orders, for some seconds."""
    workers = [stage.start_worker() for _ in range(4)]
    jobs = []
    end = time.monotonic() + 6
    with connect(stage.dsn, name="test") as connection:
        while time.monotonic() < end:  # each one overtakes those before it
            request = EnqueueRequest(
                job="locked", lock_key=f"lock-{len(jobs) % 2}", priority=len(jobs)
            )
            (answer,) = stage.client.enqueue_many([request], connection=connection)
            jobs.append(answer.queue_job_id or 0)
            time.sleep(0.005)  # for some seconds, not all at once
    stage.check_nothing_lost(*jobs, within=60)
    assert stage.rows("SELECT DISTINCT outcome FROM queue_worker.run") == [("succeeded",)]
    assert len(stage.rows("SELECT 1 FROM queue_worker.run")) == len(jobs)
    stage.check_no_overlap()
    stage.check_goes_on()
    stage.check_stops(*workers)


@pytest.mark.fault("F15")
def test_two_claims_for_one_lock_at_the_same_moment_end_no_worker(stage: Scene) -> None:
    """The same race, forced: a run that overtakes one which is just being claimed elsewhere."""
    first = stage.enqueue("locked")
    with psycopg.connect(stage.dsn) as elsewhere:
        elsewhere.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [first])
        second = stage.client.enqueue("locked", priority=1).queue_job_id
        assert second is not None
        worker = stage.start_worker()
        waiting = (
            "SELECT 1 FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND application_name = 'queue_worker claims'"
            " AND datname = current_database()"
        )
        eventually(lambda: stage.rows(waiting))
    stage.check_goes_on()
    stage.rows("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", first)
    stage.wait_for_run(second, "succeeded")
    stage.check_stops(worker)
