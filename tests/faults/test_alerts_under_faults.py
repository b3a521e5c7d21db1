"""Alerts while much goes wrong: counted exactly, lost never, told twice only with the same id."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.faults import Scene, kill
from tests.support.receiver import Receiver, receiving

IS_LONG = bool(os.environ.get("TEST_SOAK"))
FAILURES = 10_000 if IS_LONG else 2_000
KILLS = 200 if IS_LONG else 4


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def settings_for(receiver: Receiver, **more: str) -> dict[str, str]:
    return {
        "QUEUE_WORKER_ALERT_SINKS": f"webhook+{receiver.url()}",
        "QUEUE_WORKER_ALERT_ALLOW_PRIVATE": "1",
        "QUEUE_WORKER_ALERT_TIMEOUT": "1",
        **more,
    }


def wait_for_failures(stage: Scene, count: int) -> None:
    query = "SELECT count(*) FROM queue_worker.run WHERE job = 'fails' AND outcome = 'failed'"
    eventually(lambda: stage.rows(query) == [(count,)], within=120)


@pytest.mark.fault("F43")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_thousands_of_failures_are_one_alert_a_window_and_counted_exactly(
    stage: Scene, receiver: Receiver
) -> None:
    """The first is told at once. Half of the others come before every worker is replaced."""
    env = settings_for(receiver)
    failed = 0
    for failures in (1, FAILURES // 2 - 1, FAILURES // 2):
        workers = [stage.start_worker(**env) for _ in range(4 if IS_LONG else 2)]
        stage.enqueue_many("fails", failures)
        failed += failures
        wait_for_failures(stage, failed)
        eventually(receiver.told)
        stage.check_stops(*workers)
    (first,) = receiver.told()
    assert (first["count"], first["held_back"]) == (1, 0)
    last_worker = stage.start_worker(**env)
    eventually(lambda: stage.rows("SELECT count(*) FROM queue_worker.alert_event") == [(0,)])
    assert len(receiver.told()) == 1
    stage.rows("UPDATE queue_worker.alert SET window_ends_at = now()")
    eventually(lambda: len(receiver.told()) == 2)
    second = receiver.told()[1]
    assert second["count"] == FAILURES
    assert second["held_back"] == FAILURES - 1
    stage.check_stops(last_worker)


@pytest.mark.slow
@pytest.mark.timeout(3600 if IS_LONG else 200)
def test_killed_between_outcome_and_delivery_no_alert_is_lost_or_told_under_two_ids(
    stage: Scene, receiver: Receiver
) -> None:
    """SIGKILL at random moments after a failure was committed; 200 times with TEST_SOAK."""
    env = settings_for(receiver, QUEUE_WORKER_ALERT_WINDOW="0.01")
    chance = random.Random(int(os.environ.get("TEST_SEED", "1")))
    for kills in range(KILLS):
        worker = stage.start_worker(**env)
        stage.enqueue("fails")
        wait_for_failures(stage, kills + 1)
        time.sleep(chance.uniform(0, 2))  # the fault: anywhere from the close to the last answer
        kill(worker)
    survivor = stage.start_worker(**env)
    settled = """
        SELECT 1 WHERE NOT EXISTS (SELECT FROM queue_worker.alert_event)
           AND NOT EXISTS (SELECT FROM queue_worker.alert WHERE untold > 0)
           AND NOT EXISTS (SELECT FROM queue_worker.alert_delivery WHERE state = 'waiting')
    """
    eventually(lambda: stage.rows(settled), within=120)
    told = {m["id"]: m for m in receiver.messages}
    written = {
        str(message_id)
        for (message_id,) in stage.rows("SELECT message_id FROM queue_worker.alert_message")
    }
    assert set(told) == written
    assert all(told[m["id"]] == m for m in receiver.messages)
    counts = [m["count"] for m in told.values() if m["fingerprint"] == "JOB_FAILED:fails"]
    assert sorted(set(counts)) == sorted(counts), "one failure was told under two ids"
    assert max(counts) == KILLS
    stage.check_stops(survivor)


def test_a_worker_that_is_lost_is_told_and_so_is_its_replacement(
    stage: Scene, receiver: Receiver
) -> None:
    env = settings_for(receiver)
    victim, sibling = stage.start_worker(**env), stage.start_worker(**env)
    stage.wait_until_settled()
    kill(victim)
    (message,) = eventually(receiver.told)
    assert message["type"] == "WORKER_LOST"
    assert "died or was cut off" in message["summary"]
    replacement = stage.start_worker(**env)
    eventually(lambda: receiver.told("resolved"))
    stage.check_stops(sibling, replacement)
    assert len(receiver.messages) == 2, "a clean stop is no loss"
