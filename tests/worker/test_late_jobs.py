"""What comes to wait with a lower id than all that is done already: the claims begin behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from queue_worker import EnqueueAnswer, EnqueueRequest, Settings, SyncQueueClient
from queue_worker.queue.requests import EnqueueOptions
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.processes import environment, worker_process

MANY = 150  # more than a worker claims before it looks for a floor
NEVER = "600"  # seconds
of_each_kind = pytest.mark.parametrize(
    "options",
    [
        EnqueueOptions(),
        EnqueueOptions(run_at=datetime(2020, 1, 1, tzinfo=UTC)),
        EnqueueOptions(lock_key="the-key"),
        EnqueueOptions(lock_key="the-key", run_at=datetime(2020, 1, 1, tzinfo=UTC)),
    ],
    ids=["ready", "later", "locked", "locked, later"],
)


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(without_ticker, settings) as client:
        yield client


@pytest.fixture
def late(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that has drawn an id and commits when the test says so."""
    with psycopg.connect(database) as late:
        yield late


def is_in(connection: psycopg.Connection[Any], answer: EnqueueAnswer, status: str) -> bool:
    query = "SELECT FROM procrastinate_jobs WHERE id = %s AND status = %s"
    return connection.execute(query, [answer.queue_job_id, status]).rowcount == 1


def wait_for(connection: psycopg.Connection[Any], answer: EnqueueAnswer, status: str) -> None:
    eventually(lambda: is_in(connection, answer, status))


@contextmanager
def past_it(
    database: str, connection: Any, client: SyncQueueClient, poll_interval: str
) -> Iterator[None]:
    """A worker that has found a floor above what is late."""
    env = environment(database, TEST_NOTES=os.devnull, QUEUE_WORKER_POLL_INTERVAL=poll_interval)
    with worker_process(env) as worker:
        for _ in range(3):
            *_, last = client.enqueue_many([EnqueueRequest(job="noop")] * MANY)
            wait_for(connection, last, "succeeded")
        yield
        assert worker.stop() == 0, worker.lines[-10:]


@of_each_kind
def test_a_transaction_that_commits_late_is_heard_of(
    database: str,
    connection: Any,
    client: SyncQueueClient,
    late: psycopg.Connection[Any],
    options: EnqueueOptions,
) -> None:
    answer = client.enqueue("noop", connection=late, **options)
    with past_it(database, connection, client, poll_interval=NEVER):
        late.commit()
        wait_for(connection, answer, "succeeded")


@of_each_kind
def test_what_nobody_is_told_of_is_found_by_the_poll_also_while_others_come_and_go(
    database: str,
    connection: Any,
    client: SyncQueueClient,
    late: psycopg.Connection[Any],
    options: EnqueueOptions,
) -> None:
    late.execute("SET session_replication_role = replica")  # no trigger tells of it
    answer = client.enqueue("noop", connection=late, **options)
    with past_it(database, connection, client, poll_interval="1"):
        late.commit()

        def has_ended_meanwhile() -> bool:
            client.enqueue("noop")
            return is_in(connection, answer, "succeeded")

        eventually(has_ended_meanwhile)


def test_what_is_resumed_is_found_at_once(
    database: str, connection: Any, client: SyncQueueClient
) -> None:
    connection.execute(
        "INSERT INTO queue_worker.pause (kind, name, actor, reason)"
        " VALUES ('job', 'boom', 'ada', 'because')"
    )
    paused = client.enqueue("boom")
    with past_it(database, connection, client, poll_interval=NEVER):
        connection.execute("SELECT queue_worker.resume_job('boom', 'ada', 'because')")
        wait_for(connection, paused, "failed")
