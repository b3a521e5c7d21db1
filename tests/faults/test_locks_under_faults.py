"""A lock key is held by one run at a time, and by nobody who does not know that he holds it."""

from __future__ import annotations

import random
import time

import pytest

from queue_worker import EnqueueRequest
from tests.support.faults import Scene


def test_when_its_lock_session_ends_a_locked_run_is_lost_at_once(stage: Scene) -> None:
    """A DBA terminates the session that holds the locks; the worker goes on."""
    worker = stage.start_worker()
    locked, free = stage.begin("locked", seconds=30), stage.begin("work", seconds=3)
    after = stage.enqueue("locked")
    at = time.time()
    stage.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'queue_worker locks' AND datname = current_database()"
    )
    lost = stage.wait_for_run(locked, "lost")
    assert lost["error_class"] == "LockSessionLost"
    assert stage.notes.ended(f"{locked}.1") - at <= 2  # type: ignore[operator]
    stage.wait_for_run(after, "succeeded")
    stage.wait_for_run(free, "succeeded")
    worker.wait_for("lock_session.lost")
    stage.check_no_overlap()
    stage.check_stops(worker)


@pytest.mark.slow
def test_mixed_priorities_on_a_few_locks_end_no_worker(stage: Scene) -> None:
    """Four workers claim for the same locks in different orders, for some seconds."""
    workers = [stage.start_worker() for _ in range(4)]
    order = random.Random(15)
    requests = [
        EnqueueRequest(
            job="locked",
            args={"seconds": 0.01},
            lock_key=f"lock-{order.randrange(6)}",
            priority=order.randrange(-5, 6),
        )
        for _ in range(600)
    ]
    jobs = []
    for begin in range(0, len(requests), 20):
        answers = stage.client.enqueue_many(requests[begin : begin + 20])
        jobs += [answer.queue_job_id for answer in answers if answer.queue_job_id is not None]
        time.sleep(0.1)  # for some seconds, not all at once
    stage.check_nothing_lost(*jobs, within=60)
    assert stage.rows("SELECT DISTINCT outcome FROM queue_worker.run") == [("succeeded",)]
    assert len(stage.rows("SELECT 1 FROM queue_worker.run")) == len(jobs)
    stage.check_no_overlap()
    stage.check_goes_on()
    stage.check_stops(*workers)
