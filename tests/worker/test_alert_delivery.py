"""Alerts from a real worker to a real receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from queue_worker import EnqueueRequest, Settings, SyncQueueClient
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.processes import environment, worker_process
from tests.support.receiver import Receiver, receiving

IS_LONG = bool(os.environ.get("TEST_SOAK"))
SECRET = base64.b64encode(b"0123456789abcdef").decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def env(database: str, receiver: Receiver) -> dict[str, str]:
    return environment(
        database,
        QUEUE_WORKER_ALERT_SINKS=f"log: webhook+{receiver.url('/hook')}",
        QUEUE_WORKER_ALERT_SECRET=f"whsec_{SECRET}",
        QUEUE_WORKER_ALERT_ALLOW_PRIVATE="1",
        QUEUE_WORKER_ALERT_TIMEOUT="1",
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(without_ticker, settings) as client:
        yield client


def pickup(connection: Any, client: SyncQueueClient, runs: int = 20) -> list[float]:
    """How long each of some jobs waited, enqueued one after the other; in seconds, sorted."""
    ids = []
    for _ in range(runs):
        ids.append(client.enqueue("noop").queue_job_id)
        time.sleep(0.05)
    query = "SELECT count(*) = %s FROM queue_worker.run WHERE queue_job_id = ANY (%s)"
    eventually(lambda: connection.execute(query, [runs, ids]).fetchone() == (True,))
    rows = connection.execute(
        "SELECT extract(epoch FROM started_at - enqueued_at)::float8 FROM queue_worker.run"
        " WHERE queue_job_id = ANY (%s) ORDER BY 1",
        [ids],
    ).fetchall()
    return [seconds for (seconds,) in rows]


def _ends(sorted_seconds: list[float]) -> str:
    milliseconds = (sorted_seconds[len(sorted_seconds) // 2] * 1000, sorted_seconds[-1] * 1000)
    return "{:.1f} and {:.1f} ms".format(*milliseconds)


def test_a_failure_and_its_recovery_arrive_signed_and_once(
    env: dict[str, str], receiver: Receiver, client: SyncQueueClient, connection: Any
) -> None:
    with worker_process(env) as worker:
        client.enqueue("boom")
        eventually(receiver.told)
        (message,) = receiver.told()
        request = receiver.requests[0]
        signed = f"{message['id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
        digest = hmac.digest(b"0123456789abcdef", signed, hashlib.sha256)
        assert request.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        assert request.headers["webhook-id"] == message["id"]
        assert message["summary"] == "failed, ValueError: it went boom"
        assert message["command"] == f"queue-worker show {message['run_id']}"
        worker.wait_for("alert.raised", alert_id=message["id"])
        connection.execute(
            "INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,"
            " enqueued_by, started_at, finished_at) VALUES (99999, 1, 'boom', 'succeeded', 'default',"
            " now(), 'me', clock_timestamp(), clock_timestamp())"
        )
        eventually(lambda: receiver.told("resolved"))
        assert worker.stop() == 0
    assert [m["kind"] for m in receiver.messages] == ["raised", "resolved"]
    assert connection.execute(
        "SELECT DISTINCT state, tries FROM queue_worker.alert_delivery"
    ).fetchall() == [("delivered", 1)]


@pytest.mark.fault("F42")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_receiver_that_hangs_holds_up_no_job_and_gets_its_alert_once_it_answers(
    env: dict[str, str], receiver: Receiver, client: SyncQueueClient, connection: Any
) -> None:
    """On a worker with a single slot: the delivery takes none. For a minute with TEST_SOAK."""
    with worker_process(env, "--concurrency", "1") as worker:
        before = pickup(connection, client)
        receiver.hang()
        client.enqueue("boom")
        worker.wait_for("alert.delivery_failed", answer="no answer within 1 s")
        during = pickup(connection, client, 1_200 if IS_LONG else 60)
        assert receiver.messages == []
        receiver.release()
        (message,) = eventually(receiver.told, within=100)  # the next try may be a minute away
        assert worker.stop() == 0
    sys.stdout.write(
        f"pickup, median and longest: {_ends(before)}, while it hangs {_ends(during)}\n"
    )
    assert during[len(during) // 2] < before[len(before) // 2] * 2 + 0.02, (before, during)
    assert during[-1] < 1, during
    assert [m["id"] for m in receiver.messages] == [message["id"]]


@pytest.mark.fault("F42")
def test_a_receiver_that_is_down_is_tried_again_and_others_are_not_kept_waiting(
    env: dict[str, str], receiver: Receiver, client: SyncQueueClient, connection: Any
) -> None:
    receiver.status = 503
    with worker_process(env) as worker:
        client.enqueue("boom")
        worker.wait_for("alert.delivery_failed", answer="503 ok")
        worker.wait_for("alert.raised", alert_subject="boom")
        receiver.status = 200
        query = "SELECT 1 FROM queue_worker.alert_delivery WHERE sink LIKE 'webhook%%' AND state = 'delivered' AND tries > 1"
        eventually(lambda: connection.execute(query).fetchall())
        assert worker.stop() == 0
    assert len(receiver.told()) == 1
    assert len(receiver.messages) > 1


@pytest.mark.fault("F42")
def test_a_delivery_that_is_given_up_is_said_in_log_and_tables(
    env: dict[str, str], receiver: Receiver, client: SyncQueueClient, connection: Any
) -> None:
    receiver.status = 400
    with worker_process(env) as worker:
        client.enqueue("boom")
        worker.wait_for("alert.delivery_failed")
        connection.execute(
            "UPDATE queue_worker.alert_delivery SET tries = 19, next_try_at = now() WHERE state = 'waiting'"
        )
        worker.wait_for("alert.given_up")
        assert worker.stop() == 0
    assert connection.execute("SELECT undelivered FROM queue_worker.alert").fetchall() == [(1,)]
    assert connection.execute(
        "SELECT state, tries, answer FROM queue_worker.alert_delivery WHERE sink <> 'log'"
    ).fetchall() == [("given_up", 20, "400 ok")]


def test_a_delivery_that_fails_as_a_whole_is_no_alert_and_no_loop(
    env: dict[str, str], client: SyncQueueClient, connection: Any
) -> None:
    connection.execute("ALTER TABLE queue_worker.alert_delivery RENAME COLUMN answer TO reply")
    with worker_process(env) as worker:
        client.enqueue("boom")
        worker.wait_for("job.failed", job="queue_worker.deliver_alerts")
        client.enqueue_many([EnqueueRequest(job="noop")] * 10)
        time.sleep(3)
        assert worker.stop() == 0
    assert connection.execute(
        "SELECT count(*) FROM queue_worker.run WHERE job = 'queue_worker.deliver_alerts'"
    ).fetchone() == (1,)
    assert connection.execute("SELECT fingerprint FROM queue_worker.alert").fetchall() == [
        ("JOB_FAILED:boom",)
    ]


def test_a_worker_of_one_queue_delivers_too(
    env: dict[str, str], receiver: Receiver, client: SyncQueueClient
) -> None:
    with worker_process(env, "--queues", "default") as worker:
        client.enqueue("boom")
        eventually(receiver.told)
        assert worker.stop() == 0


def test_a_dry_run_delivers_nothing(
    env: dict[str, str], receiver: Receiver, connection: Any
) -> None:
    connection.execute("SELECT queue_worker.raise_alert('WORKER_LOST', 'h', 'gone')")
    with worker_process({**env, "JOB_DRY_RUN": "1"}) as worker:
        eventually(
            lambda: connection.execute("SELECT 1 FROM queue_worker.alert_message").fetchall()
        )
        assert worker.stop() == 0
    assert receiver.messages == []
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)
