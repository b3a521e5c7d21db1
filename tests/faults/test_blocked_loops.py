"""What blocks the event loop for good takes its worker with it, and nothing else."""

from __future__ import annotations

import signal
import time

import pytest

from tests.support.eventually import eventually
from tests.support.faults import Scene, is_alive, now
from tests.support.proxy import Proxy


def test_the_garbage_collector_leaves_alone_what_a_worker_has_loaded_and_looks_rarely(
    stage: Scene,
) -> None:
    """Looking through all of it stops every run for 50 ms, once a second under load."""
    worker = stage.start_worker()
    stage.wait_for_run(stage.enqueue("counts_objects"), "succeeded")
    ((loaded, others, new, _),) = stage.notes.lines("objects")
    assert int(others) < int(loaded) / 3
    assert int(new) == 10_000
    stage.check_stops(worker)


@pytest.mark.slow
def test_a_job_that_blocks_the_loop_for_ever_ends_its_worker_after_its_deadline(
    stage: Scene,
) -> None:
    """time.sleep(600) in an async job with a deadline of a second, beside a job in a child."""
    worker = stage.start_worker(QUEUE_WORKER_CANCEL_GRACE="1")
    plain = stage.begin("plain_for_ever")
    child = stage.notes.spans()[0].pid
    blocking = stage.begin("blocks_for_ever")
    sibling = stage.start_worker()
    after = stage.enqueue("blocks_loop", seconds=0)
    began = stage.notes.time_of_start(f"{blocking}.1")

    assert worker.process.wait(25) == 70
    at = now()
    assert at - began <= 1 + 1 + 5 + 5  # deadline, grace, slack, noise
    eventually(lambda: not is_alive(child), within=1)
    assert "in blocks_for_ever" in worker.wait_for("loop.blocked")["stack"]
    assert "in blocks_for_ever" in worker.wait_for("worker.failed")["stack"]
    stage.wait_for_run(blocking, "lost")
    stage.wait_for_run(plain, "lost")
    stage.wait_for_run(after, "succeeded")
    stage.check_no_overlap({worker.process.pid: at})
    stage.check_stops(sibling)


@pytest.mark.parametrize("job", ["blocks_loop", "hangs_in_c"])
def test_a_worker_whose_loop_is_blocked_obeys_sigterm_after_drain_and_grace(
    stage: Scene, job: str
) -> None:
    """Its job has a minute, and would never end; in C not even a signal handler is called."""
    worker = stage.start_worker(QUEUE_WORKER_DRAIN_TIMEOUT="1", QUEUE_WORKER_CANCEL_GRACE="1")
    stage.begin(job, **({"seconds": 600} if job == "blocks_loop" else {}))
    worker.wait_for("loop.blocked")
    began = time.monotonic()
    assert worker.stop(signal.SIGTERM) == 70
    assert time.monotonic() - began <= 1 + 1 + 5 + 5  # drain, grace, slack, noise
    worker.wait_for("worker.failed")


def test_a_loop_that_answers_again_in_time_drains(stage: Scene) -> None:
    """SIGTERM comes while the loop is blocked, and is not lost."""
    worker = stage.start_worker()
    job = stage.begin("blocks_loop", seconds=5)
    worker.wait_for("loop.blocked")
    assert worker.stop(signal.SIGTERM) == 0
    stage.wait_for_run(job, "succeeded")
    worker.wait_for("loop.answers_again")


@pytest.mark.slow
def test_cut_off_with_a_blocked_loop_a_worker_ends_before_others_take_its_lock_keys(
    stage: Scene, proxy: Proxy
) -> None:
    """Its loop can't end the child that works under a lock key; the heartbeat's thread can."""
    cut_off = stage.start_worker(dsn=proxy.dsn)
    plain = stage.begin("plain_starts_another")
    child = stage.notes.spans()[0].pid
    ((other, _),) = stage.notes.lines("other")
    blocking = stage.begin("blocks_loop", seconds=50)
    sibling = stage.start_worker()
    after = stage.enqueue("locked")
    proxy.swallow()

    assert cut_off.process.wait(20) == 70
    at = now()
    eventually(lambda: not is_alive(child) and not is_alive(int(other)), within=1)
    cut_off.wait_for("worker.failed")
    stage.wait_for_run(plain, "lost")
    stage.wait_for_run(blocking, "lost")
    stage.wait_for_run(after, "succeeded")
    stage.check_no_overlap({child: at, cut_off.process.pid: at})
    stage.check_stops(sibling)


@pytest.mark.slow
def test_cut_off_with_a_blocked_loop_a_worker_without_lock_keys_goes_on(
    stage: Scene, proxy: Proxy
) -> None:
    """Nobody is harmed by its runs, and the server is back before it is missed."""
    worker = stage.start_worker(dsn=proxy.dsn)
    job = stage.begin("blocks_unlocked", seconds=14)
    proxy.swallow()
    silent = "SELECT 1 FROM queue_worker.worker WHERE now() - last_heartbeat_at > interval '11 s'"
    eventually(lambda: stage.rows(silent))
    proxy.forward()
    stage.wait_for_run(job, "succeeded", within=30)
    stage.check_goes_on(within=30)  # a blocked loop is slow to find a connection half open
    stage.check_stops(worker)
