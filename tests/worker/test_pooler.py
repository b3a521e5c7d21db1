"""With PgBouncer between us and the server: everything holds, or the start refuses."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker import EnqueueRequest, QueueClient, Settings, SyncQueueClient, load_settings
from queue_worker.errors import EnqueueError, SettingsError
from queue_worker.governance.pooler import require_direct_connection
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.pgbouncer import pgbouncer
from tests.support.processes import call, environment, worker_process


@pytest.mark.fault("F14")
@pytest.mark.parametrize("command", [["worker"], ["run", "noop", "--inline"]])
def test_a_shared_session_is_refused_with_the_remedy(database: str, command: list[str]) -> None:
    with pgbouncer(database, "transaction") as pooled:
        refused = call(environment(pooled), *command)
    assert refused.returncode == 78
    assert "QUEUE_WORKER_DIRECT_URL is not set" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.fault("F14")
def test_a_direct_url_that_is_a_pooler_too_is_refused(database: str) -> None:
    with pgbouncer(database, "transaction") as pooled:
        settings = load_settings(database_url=database, direct_url=pooled)
        with pytest.raises(SettingsError, match="QUEUE_WORKER_DIRECT_URL goes through a pooler"):
            require_direct_connection(settings)


def test_a_pooler_that_keeps_sessions_is_accepted(database: str) -> None:
    with pgbouncer(database, "session") as pooled:
        require_direct_connection(load_settings(database_url=pooled))


@pytest.mark.fault("F14")
async def test_a_client_that_only_knows_the_pooler_enqueues_all_the_same(
    database: str, connection: Any
) -> None:
    """An app without workers: nobody has told it that sessions are shared."""
    with pgbouncer(database, "transaction", sessions=1) as pooled:
        settings = load_settings(database_url=pooled, client_pool_size=1)
        with (
            SyncQueueClient(without_ticker, settings) as first,
            SyncQueueClient(without_ticker, settings) as second,
        ):
            async with (
                QueueClient(without_ticker, settings) as third,
                QueueClient(without_ticker, settings) as fourth,
            ):
                for _ in range(8):  # often enough for psycopg to prepare the statement
                    first.enqueue("noop")
                    second.enqueue("noop")
                    await third.enqueue("noop")
                    await fourth.enqueue("noop")
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (4 * 8,)


@pytest.mark.fault("F14")
def test_a_callers_connection_that_prepares_through_a_pooler_gets_the_remedy(
    database: str, settings: Settings
) -> None:
    with (
        pgbouncer(database, "transaction", sessions=1) as pooled,
        SyncQueueClient(without_ticker, settings) as client,
        psycopg.connect(pooled, autocommit=True) as first,
        psycopg.connect(pooled, autocommit=True) as second,
    ):
        enqueue_six_times(client, first)  # often enough for psycopg to prepare the statement
        with pytest.raises(EnqueueError, match="in psycopg: prepare_threshold=None"):
            enqueue_six_times(client, second)


def enqueue_six_times(client: SyncQueueClient, connection: Any) -> None:
    for _ in range(6):
        client.enqueue("noop", connection=connection)


@pytest.mark.fault("F14")
def test_clients_enqueue_through_the_pooler_and_two_workers_keep_every_promise(
    database: str, connection: Any, tmp_path: Path
) -> None:
    """All clients share two sessions; the poll is too slow to help, so the listener must hear."""
    notes = tmp_path / "notes"
    notes.touch()
    with pgbouncer(database, "transaction", sessions=2) as pooled, ExitStack() as stack:
        env = environment(
            pooled, QUEUE_WORKER_DIRECT_URL=database, TEST_NOTES=str(notes),
            QUEUE_WORKER_POLL_INTERVAL="60",
        )  # fmt: skip
        workers = [stack.enter_context(worker_process(env)) for _ in range(2)]
        settings = load_settings(database_url=pooled, direct_url=database)
        client = stack.enter_context(SyncQueueClient(without_ticker, settings))
        enqueue_in_own_transactions(client, pooled)
        for _ in range(10):  # often enough for psycopg to prepare the statement
            client.enqueue("locked", {"seconds": 0.01})
        asyncio.run(enqueue_async(settings, 10))
        client.enqueue_many([EnqueueRequest(job=job) for job in OTHERS])
        eventually(lambda: count_runs(connection) == 4 + 20 + len(OTHERS))
        check_commands(env, client, notes)
        assert [worker.stop() for worker in workers] == [0, 0]
    check_ledger(connection)
    check_locked_runs(notes)


OTHERS = {
    "async_sql": "succeeded",
    "plain_sql": "succeeded",
    "fenced": "succeeded",
    "slow": "timed_out",
    "boom": "failed",
}


def enqueue_in_own_transactions(client: SyncQueueClient, pooled: str) -> None:
    """Every second one is rolled back; psycopg would prepare what is sent so often."""
    with psycopg.connect(pooled, autocommit=True) as own:
        for number in range(8):
            with own.transaction(force_rollback=number % 2 == 1):
                client.enqueue("noop", connection=own)


async def enqueue_async(settings: Settings, count: int) -> None:
    async with QueueClient(without_ticker, settings) as queue:
        for _ in range(count):
            await queue.enqueue("locked", {"seconds": 0.01})


def check_commands(env: dict[str, str], client: SyncQueueClient, notes: Path) -> None:
    """The key is held by a worker: an inline run is refused, or waits; others only wait."""
    before = notes.read_text().count("start locked")
    client.enqueue("locked", {"seconds": 4})
    eventually(lambda: notes.read_text().count("start locked") > before)
    assert call(env, "run", "locked", "--inline").returncode == 75
    waited = call(env, "run", "locked", "--inline", "--wait")
    assert waited.returncode == 0, waited.stderr
    followed = call(env, "run", "boom", "--wait")
    assert followed.returncode == 1, followed.stderr


def count_runs(connection: Any) -> int:
    return int(connection.execute("SELECT count(*) FROM queue_worker.run").fetchone()[0])


def check_ledger(connection: Any) -> None:
    found = dict(connection.execute("SELECT DISTINCT job, outcome::text FROM queue_worker.run"))
    assert found == OTHERS | {"noop": "succeeded", "locked": "succeeded"}
    by_whom = "SELECT count(DISTINCT worker_id) >= 2 FROM queue_worker.run WHERE job = 'locked'"
    assert connection.execute(by_whom).fetchone() == (True,)


def check_locked_runs(notes: Path) -> None:
    """No other one starts between a start and its end."""
    lines = [line.split() for line in notes.read_text().splitlines() if " locked " in line]
    assert len(lines) == 2 * 22
    for (first, _, started, _), (second, _, ended, _) in zip(lines[::2], lines[1::2], strict=True):
        assert (first, second, started) == ("start", "end", ended)
