"""The network between a worker and its server fails without saying so."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from queue_worker.worker.backoff import FIRST_WAIT
from tests.support.eventually import eventually
from tests.support.faults import Scene
from tests.support.proxy import Proxy


@pytest.mark.fault("F11", "P25")
@pytest.mark.slow
def test_a_half_open_connection_is_noticed_and_its_lock_changes_hands_once(
    stage: Scene, proxy: Proxy
) -> None:
    """Everything that a worker sends is swallowed: it ends its run before a sibling may begin."""
    cut_off = stage.start_worker(dsn=proxy.dsn)
    first = stage.begin("locked", seconds=50)
    sibling = stage.start_worker()
    second = stage.enqueue("locked")
    at = time.time()
    proxy.swallow()

    cut_off.wait_for("lock_session.lost", within=15)
    eventually(lambda: stage.notes.ended(f"{first}.1"))
    assert stage.notes.time_of_end(f"{first}.1") - at < 3
    sibling.wait_for("worker.lost", within=20)
    stage.wait_for_run(first, "lost")
    stage.wait_for_run(second, "succeeded")
    stage.check_no_overlap()
    stage.check_stops(sibling)


@pytest.mark.fault("F11")
def test_cut_off_for_good_a_worker_still_obeys_sigterm(stage: Scene, proxy: Proxy) -> None:
    """Half-open connections everywhere: it can close nothing, but it must not hang; and says so."""
    cut_off = stage.start_worker(
        dsn=proxy.dsn, QUEUE_WORKER_DRAIN_TIMEOUT="2", QUEUE_WORKER_CANCEL_GRACE="1"
    )
    stage.begin("work", seconds=1)
    proxy.swallow()
    cut_off.wait_for("lock_session.lost", within=15)
    began = time.monotonic()
    assert cut_off.stop(signal.SIGTERM, within=30) not in {0, -signal.SIGTERM}
    # Drain, grace, closing, its sessions, its last words.
    assert time.monotonic() - began < 2 + 1 + 5 + 5 + 5
    cut_off.wait_for("worker.failed")


@pytest.mark.fault("F11")
def test_idle_and_cut_off_for_good_a_worker_obeys_sigterm_at_once(
    stage: Scene, proxy: Proxy
) -> None:
    """Half-open connections, nothing to drain."""
    cut_off = stage.start_worker(dsn=proxy.dsn)
    proxy.swallow()
    cut_off.wait_for("lock_session.lost", within=15)
    began = time.monotonic()
    assert cut_off.stop(signal.SIGTERM, within=30) == 0
    assert time.monotonic() - began <= 5


def test_after_a_black_hole_a_worker_goes_on_with_its_own_locks(stage: Scene, proxy: Proxy) -> None:
    """The server still believes in the old sessions: their locks must not stay taken for ever."""
    worker = stage.start_worker(dsn=proxy.dsn)
    first = stage.begin("locked_again", seconds=3)
    proxy.swallow()
    worker.wait_for("lock_session.lost", within=15)
    proxy.forward()
    stage.wait_for_run(first, "lost")
    stage.wait_for_run(first, "succeeded", attempt=2)
    stage.check_goes_on()
    alive = """
        SELECT 1 FROM pg_locks JOIN queue_worker.worker AS w ON true
         WHERE locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint
             = hashtextextended('queue_worker.alive.' || w.worker_id, 0) AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    assert len(stage.rows(alive)) == 1
    stage.check_stops(worker)


def test_connections_that_break_are_opened_again(stage: Scene, proxy: Proxy) -> None:
    """A load balancer resets every connection, and takes no new ones for a while."""
    worker = stage.start_worker(dsn=proxy.dsn)
    job = stage.begin("work", seconds=1)
    proxy.refuse()
    proxy.cut()
    worker.wait_for("database.unavailable")
    eventually(lambda: stage.notes.ended(f"{job}.1"))
    proxy.forward()
    assert stage.wait_for_run(job, "succeeded", within=10)["attempt"] == 1
    stage.check_goes_on()
    stage.check_stops(worker)


def test_a_listener_that_has_listened_again_begins_its_next_outage_anew(
    stage: Scene, proxy: Proxy
) -> None:
    """It waits ever longer while the server is away, but not for ever afterwards."""

    def said(event: str) -> list[dict[str, Any]]:
        return [
            line
            for line in worker.lines
            if line["event"] == f"database.{event}" and line["doing"] == "listening"
        ]

    worker = stage.start_worker(dsn=proxy.dsn)
    proxy.refuse()
    proxy.cut()
    eventually(lambda: len(said("unavailable")) >= 4)
    proxy.forward()
    eventually(lambda: said("available"))
    before = len(said("unavailable"))
    proxy.cut()
    eventually(lambda: len(said("available")) == 2)
    assert said("unavailable")[before]["retry_in_s"] == FIRST_WAIT
    stage.check_goes_on()
    stage.check_stops(worker)
