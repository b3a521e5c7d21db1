"""Enqueueing from code on psycopg: by itself, and inside the caller's own transaction."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import traceback
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import class_row, dict_row, namedtuple_row, scalar_row
from pydantic import BaseModel

from queue_worker import (
    EnqueueAnswer,
    EnqueueRequest,
    JobContext,
    JobRegistry,
    QueueClient,
    Settings,
    SyncQueueClient,
    every,
    load_settings,
)
from queue_worker.errors import (
    ArgumentsError,
    DatabaseUnreachable,
    EnqueueError,
    UnknownJobError,
)
from queue_worker.queue import requests
from queue_worker.queue.requests import EnqueueOptions
from tests.support.eventually import eventually

CANARY = "c4n4ry"
registry = JobRegistry()


class Content(BaseModel):
    content_id: str
    size: int = 0


@registry.job("content.regenerate", args=Content, timeout=timedelta(minutes=1), priority=3)
async def regenerate(ctx: JobContext, args: Content) -> None: ...


@registry.job(
    "reports.daily", timeout=timedelta(minutes=1), schedule=every(days=1), queue="reports"
)
async def daily(ctx: JobContext) -> None: ...


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(registry, settings) as client:
        yield client


@pytest.fixture
async def async_client(settings: Settings) -> AsyncIterator[QueueClient]:
    async with QueueClient(registry, settings) as client:
        yield client


def queued(connection: psycopg.Connection[Any], columns: str = "id") -> list[Any]:
    return connection.execute(f"SELECT {columns} FROM procrastinate_jobs ORDER BY id").fetchall()


def request(content_id: str = "c1", **options: Any) -> EnqueueRequest[Content]:
    return EnqueueRequest(job=regenerate, args=Content(content_id=content_id), **options)


# A single job ------------------------------------------------------------------------------------


def test_a_job_is_written_as_it_was_declared(client: SyncQueueClient, connection: Any) -> None:
    answer = client.enqueue(regenerate, Content(content_id="ü"))
    other = client.enqueue("reports.daily")
    assert answer.enqueued
    assert queued(
        connection, "id, task_name, queue_name, priority, lock, queueing_lock, args, status::text, scheduled_at"
    ) == [
        (answer.queue_job_id, "content.regenerate", "default", 3, None, None,
         {"content_id": "ü", "size": 0}, "todo", None),
        (other.queue_job_id, "reports.daily", "reports", 0, "reports.daily", None, {}, "todo", None),
    ]  # fmt: skip


async def test_async_code_enqueues_the_same(async_client: QueueClient, connection: Any) -> None:
    answers = await asyncio.gather(
        *(async_client.enqueue(regenerate, Content(content_id=str(n))) for n in range(20))
    )
    assert {a.queue_job_id for a in answers} == {row[0] for row in queued(connection)}
    assert len(queued(connection)) == 20


def test_a_single_enqueue_overrides_what_was_declared(
    client: SyncQueueClient, connection: Any
) -> None:
    client.enqueue(daily, priority=-7, lock_key="L", queueing_lock="Q")
    assert queued(connection, "priority, lock, queueing_lock") == [(-7, "L", "Q")]


OPTIONS: list[EnqueueOptions] = [
    {}, {"priority": -7}, {"lock_key": "L"}, {"queueing_lock": "Q"},
    {"run_at": datetime(2030, 1, 1, tzinfo=UTC)},
    {"priority": 2**31 - 1, "lock_key": 'an "odd" key', "queueing_lock": "Q"},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
def test_a_job_alone_and_in_a_batch_are_written_alike(
    client: SyncQueueClient, connection: Any, options: EnqueueOptions
) -> None:
    """Two statements write them; every column but the volatile ones is compared."""

    def written() -> list[Any]:
        rows = queued(
            connection, "to_jsonb(procrastinate_jobs) - 'id' - 'queue_worker_enqueued_at'"
        )
        connection.execute("DELETE FROM procrastinate_jobs")
        return rows

    for _ in range(2):
        client.enqueue(regenerate, Content(content_id="é"), **options)
    alone = written()
    for _ in range(2):
        client.enqueue_many([request("é", **options)])
    assert len(alone) == (1 if "queueing_lock" in options else 2)
    assert written() == alone


def test_a_delay_counts_by_the_clock_of_the_database(
    client: SyncQueueClient, connection: Any
) -> None:
    client.enqueue(daily, delay=timedelta(minutes=5))
    ((exact,),) = queued(
        connection,
        "scheduled_at BETWEEN queue_worker_enqueued_at + interval '4 minutes 59 seconds'"
        " AND queue_worker_enqueued_at + interval '5 minutes 1 second'",
    )
    assert exact


def test_a_moment_may_be_given_in_any_zone(client: SyncQueueClient, connection: Any) -> None:
    moment = datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
    client.enqueue(daily, run_at=moment)
    client.enqueue(daily, run_at=moment.astimezone())
    assert queued(connection, "scheduled_at") == [(moment,), (moment,)]


def test_a_single_job_is_one_statement_and_one_round_trip(
    client: SyncQueueClient, connection: psycopg.Connection[Any]
) -> None:
    client.enqueue(daily, connection=connection)
    with tempfile.NamedTemporaryFile("r") as trace:
        connection.pgconn.trace(trace.fileno())
        client.enqueue(daily, connection=connection)
        connection.pgconn.untrace()
        trace.seek(0)  # libpq wrote through the same descriptor
        lines = [line.split("\t") for line in trace]
    sent = [line[3].split()[0] for line in lines if line[1:2] == ["F"]]
    assert sent.count("Execute") == 1
    assert sent.count("Sync") == 1
    assert "Query" not in sent


# The caller's transaction ------------------------------------------------------------------------


def test_it_happens_if_the_caller_commits(
    client: SyncQueueClient, connection: Any, database: str
) -> None:
    with psycopg.connect(database) as own:
        own.execute("CREATE TABLE mine (n int)")
        answer = client.enqueue(daily, connection=own)
        assert queued(connection) == []
        own.commit()
        assert queued(connection) == [(answer.queue_job_id,)]
        client.enqueue(daily, connection=own)
        own.rollback()
    assert queued(connection) == [(answer.queue_job_id,)]


async def test_it_happens_if_the_async_caller_commits(
    async_client: QueueClient, connection: Any, database: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database) as own:
        async with own.transaction():
            answer = await async_client.enqueue(daily, connection=own)
            assert queued(connection) == []
        async with own.transaction(force_rollback=True):
            await async_client.enqueue(daily, connection=own)
    assert queued(connection) == [(answer.queue_job_id,)]


class Row:
    def __init__(self, **columns: Any) -> None:
        vars(self).update(columns)


@pytest.mark.parametrize("factory", [dict_row, namedtuple_row, scalar_row, class_row(Row)])
async def test_the_rows_of_the_callers_connection_may_have_any_shape(
    client: SyncQueueClient, async_client: QueueClient, database: str, factory: Any
) -> None:
    with psycopg.connect(database, row_factory=factory) as own:
        assert client.enqueue(daily, connection=own).queue_job_id == 1
    async with await psycopg.AsyncConnection.connect(database, row_factory=factory) as own_async:
        assert (await async_client.enqueue(daily, connection=own_async)).queue_job_id == 2


def test_the_callers_cursors_and_search_path_do_not_matter(
    client: SyncQueueClient, connection: Any, database: str
) -> None:
    with psycopg.connect(
        database, cursor_factory=psycopg.ClientCursor, options="-c search_path=pg_catalog"
    ) as own:
        assert client.enqueue(daily, connection=own).enqueued
        assert own.execute("SHOW search_path").fetchone() == ("pg_catalog",)
    assert len(queued(connection)) == 1


@pytest.mark.fault("P35")
def test_a_clash_is_an_answer_and_the_transaction_goes_on(
    client: SyncQueueClient, connection: Any, database: str
) -> None:
    first = client.enqueue(daily, queueing_lock="Q")
    with psycopg.connect(database) as own:
        own.execute("CREATE TABLE mine AS SELECT 1 AS n")
        answer = client.enqueue(daily, queueing_lock="Q", connection=own)
        assert answer == EnqueueAnswer(first.queue_job_id, enqueued=False)
        own.execute("INSERT INTO mine VALUES (2)")
    assert connection.execute("SELECT count(*) FROM mine").fetchone() == (2,)
    assert len(queued(connection)) == 1


def test_a_queueing_lock_is_free_again_once_its_job_was_claimed(
    client: SyncQueueClient, connection: Any
) -> None:
    client.enqueue(daily, queueing_lock="Q")
    connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert client.enqueue(daily, queueing_lock="Q").enqueued


async def test_a_connection_of_the_other_kind_is_refused_before_anything_is_written(
    client: SyncQueueClient, async_client: QueueClient, connection: Any, database: str
) -> None:
    with pytest.raises(TypeError, match="A Connection does not fit: QueueClient takes the async"):
        await async_client.enqueue(daily, connection=connection)
    async with await psycopg.AsyncConnection.connect(database) as own:
        with pytest.raises(TypeError, match="A AsyncConnection does not fit"):
            client.enqueue(daily, connection=own)
    with pytest.raises(TypeError, match="A str does not fit"):
        client.enqueue(daily, connection=database)
    assert queued(connection) == []


# Batches -----------------------------------------------------------------------------------------


@pytest.mark.fault("P35")
def test_a_duplicate_skips_only_itself(client: SyncQueueClient, connection: Any) -> None:
    waiting = client.enqueue(
        regenerate, Content(content_id="old"), queueing_lock="old"
    ).queue_job_id
    answers = client.enqueue_many([
        request("a"), request("b", queueing_lock="old"), request("c", queueing_lock="new"),
        request("d"), request("e", queueing_lock="new"), request("f"),
    ])  # fmt: skip
    assert [answer.enqueued for answer in answers] == [True, False, True, True, False, True]
    assert answers[1].queue_job_id == waiting
    assert answers[4].queue_job_id == answers[2].queue_job_id
    written = dict(queued(connection, "id, args ->> 'content_id'"))
    assert [written[a.queue_job_id] for a in answers] == ["a", "old", "c", "d", "c", "f"]


@pytest.mark.parametrize("some_have", [False, True], ids=["no queueing locks", "some"])
def test_a_batch_runs_in_the_order_it_was_given(
    client: SyncQueueClient, connection: Any, some_have: bool
) -> None:
    locks = [f"lock {n % 7}" if some_have and n % 3 else None for n in range(100)]
    answers = client.enqueue_many(
        [request(str(n), queueing_lock=lock and f"{lock} {n}") for n, lock in enumerate(locks)]
    )
    assert [row[0] for row in queued(connection, "args ->> 'content_id'")] == [
        str(n) for n in range(100)
    ]
    assert [answer.queue_job_id for answer in answers] == [row[0] for row in queued(connection)]


async def test_no_request_is_no_answer(client: SyncQueueClient, async_client: QueueClient) -> None:
    assert client.enqueue_many([]) == []
    assert await async_client.enqueue_many([]) == []


def test_thousands_are_one_statement(client: SyncQueueClient, connection: Any) -> None:
    answers = client.enqueue_many([request(str(n)) for n in range(5_000)])
    assert len({answer.queue_job_id for answer in answers}) == 5_000
    assert all(answer.enqueued for answer in answers)


@pytest.mark.fault("F28", "F29", "F30")
@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (EnqueueRequest(job="content.regenerate", args={"size": CANARY}), "content_id: Field required"),
        (EnqueueRequest(job="content.regenerat"), "Did you mean 'content.regenerate'?"),
        (EnqueueRequest(job="reports.daily", args={"a": CANARY}), "it takes none"),
        (request(f"{CANARY}\0"), "a text holds a NUL character"),
        (request(CANARY * 200_000), "more than the limit of 1,000,000"),
        (request(delay=timedelta(1), run_at=datetime.now(UTC)), "exclude each other"),
        (request(delay=timedelta(0), run_at=datetime.now(UTC)), "exclude each other"),
        (request(delay=timedelta.max), "delay is longer than a hundred years"),
        (request(run_at=datetime(2030, 1, 1)), "run_at has no time zone"),  # noqa: DTZ001  the point
        (request(priority=2**31), "priority is not a whole number of 32 bits"),
        (request(priority=1.5), "priority is not a whole number of 32 bits"),
        (request(lock_key=""), "lock_key is not 1 to 512 bytes long"),
        (request(lock_key="ü" * 257), "lock_key is not 1 to 512 bytes long"),
        (request(queueing_lock="x" * 513), "queueing_lock is not 1 to 512 bytes long"),
        (request(queueing_lock="a\0"), "queueing_lock holds a control character"),
        (request(lock_key="\ud800"), "lock_key holds a control character"),
        (request(lock_key=7), "lock_key is not a text"),
    ],
)  # fmt: skip
def test_one_bad_item_refuses_the_batch_before_anything_is_sent(
    wrong: EnqueueRequest[Any], problem: str
) -> None:
    nowhere = load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing")
    with SyncQueueClient(registry, nowhere) as client:
        with pytest.raises((ArgumentsError, UnknownJobError)) as caught:
            client.enqueue_many([request(), request(), wrong, request(), wrong])
        assert str(caught.value).startswith("Item 3 of 5: ")
        assert problem in str(caught.value)
        assert CANARY not in "".join(traceback.format_exception(caught.value))
        with pytest.raises((ArgumentsError, UnknownJobError)) as caught:
            client.enqueue_many([wrong])
        assert "Item" not in str(caught.value)


def test_a_batch_too_large_for_the_database_is_refused(
    client: SyncQueueClient, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BATCH_BYTES", 10_000)
    with pytest.raises(EnqueueError, match=r"characters is more than 10,000\. Split it"):
        client.enqueue_many([request("x" * 100)] * 100)
    assert queued(connection) == []


def test_the_limit_of_arguments_is_a_setting(database: str, connection: Any) -> None:
    with SyncQueueClient(
        registry, load_settings(database_url=database, max_args_bytes=40)
    ) as client:
        assert client.enqueue(regenerate, Content(content_id="c")).enqueued
        with pytest.raises(ArgumentsError, match="more than the limit of 40"):
            client.enqueue(regenerate, Content(content_id="c" * 40))


# Databases that do not answer --------------------------------------------------------------------


@pytest.mark.fault("F41")
async def test_an_unreachable_server_is_one_clear_error_at_once() -> None:
    settings = load_settings(database_url=f"postgresql://ada:{CANARY}@127.0.0.1:1/app")
    with (
        SyncQueueClient(registry, settings) as client,
        pytest.raises(DatabaseUnreachable) as caught,
    ):
        client.enqueue(daily)
    assert str(caught.value).startswith("No connection to 127.0.0.1:1/app: ")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    async with QueueClient(registry, settings) as async_client:
        with pytest.raises(DatabaseUnreachable, match=r"No connection to 127\.0\.0\.1:1/app"):
            await async_client.enqueue(daily)


async def test_missing_migrations_are_named(empty_database: str) -> None:
    settings = load_settings(database_url=empty_database)
    expected = pytest.raises(EnqueueError, match="Run `queue-worker migrate`")
    with SyncQueueClient(registry, settings) as client, expected:
        client.enqueue(daily)
    async with QueueClient(registry, settings) as async_client:
        with pytest.raises(EnqueueError, match="Run `queue-worker migrate`"):
            await async_client.enqueue(daily)


def test_what_the_database_refuses_is_said_without_the_values(
    client: SyncQueueClient, connection: Any
) -> None:
    connection.execute(
        "ALTER TABLE procrastinate_jobs ADD CHECK (args ->> 'content_id' <> 'c4n4ry')"
    )
    with pytest.raises(
        EnqueueError, match="The database refused the job: new row for relation"
    ) as caught:
        client.enqueue(regenerate, Content(content_id=CANARY))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_connection_that_is_gone_is_named(client: SyncQueueClient, database: str) -> None:
    own = psycopg.connect(database)
    own.close()
    with pytest.raises(DatabaseUnreachable, match="the connection broke while enqueueing"):
        client.enqueue(daily, connection=own)


async def test_calls_one_after_the_other_share_one_connection(
    client: SyncQueueClient, async_client: QueueClient, connection: Any
) -> None:
    for _ in range(5):
        client.enqueue(daily)
        await async_client.enqueue(daily)
    own = (client._open_pool(), await async_client._open_pool())
    assert [pool.get_stats()["pool_size"] for pool in own] == [1, 1]


async def test_a_restart_of_the_server_is_not_noticed(
    client: SyncQueueClient, async_client: QueueClient, connection: Any, database: str
) -> None:
    client.enqueue(daily)
    await async_client.enqueue(daily)
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'queue_worker client' AND datname = current_database()"
    )
    assert connection.execute(cut).rowcount >= 2
    eventually(lambda: connection.execute(cut).rowcount == 0)
    assert client.enqueue(daily).enqueued
    assert (await async_client.enqueue(daily)).enqueued
    assert len(queued(connection)) == 4


# Many at once ------------------------------------------------------------------------------------


def test_of_twenty_threads_with_one_queueing_lock_one_enqueues(
    client: SyncQueueClient, connection: Any
) -> None:
    start = threading.Barrier(20)

    def enqueue(_: int) -> EnqueueAnswer:
        start.wait()
        return client.enqueue(daily, queueing_lock="Q")

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(enqueue, range(20)))
    assert [answer.enqueued for answer in answers].count(True) == 1
    assert {answer.queue_job_id for answer in answers} <= {queued(connection)[0][0], None}
    assert len(queued(connection)) == 1


async def test_twenty_tasks_that_use_a_new_client_share_its_connections(settings: Settings) -> None:
    async with QueueClient(registry, settings) as client:
        answers = await asyncio.gather(
            *(client.enqueue(daily, queueing_lock="Q") for _ in range(20))
        )
    assert [answer.enqueued for answer in answers].count(True) == 1


def test_batches_with_the_same_queueing_locks_do_not_deadlock(
    settings: Settings, connection: Any
) -> None:
    wide = load_settings(database_url=settings.dsn, client_pool_size=8)
    names = [f"Q{n}" for n in range(2_000)]
    start = threading.Barrier(8)

    def enqueue(number: int) -> list[EnqueueAnswer]:
        start.wait()
        order = names if number % 2 else names[::-1]
        return queue.enqueue_many([request(queueing_lock=name) for name in order])

    with SyncQueueClient(registry, wide) as queue, ThreadPoolExecutor(8) as threads:
        answers = [answer for batch in threads.map(enqueue, range(8)) for answer in batch]
    assert [answer.enqueued for answer in answers].count(True) == 2_000
    assert len(queued(connection)) == 2_000


def test_a_client_is_usable_again_after_close(client: SyncQueueClient, connection: Any) -> None:
    client.enqueue(daily)
    client.close()
    client.enqueue(daily)
    assert len(queued(connection)) == 2


def test_the_server_itself_is_given_prepared_statements(database: str) -> None:
    with SyncQueueClient(registry, load_settings(database_url=database, client_pool_size=1)) as one:
        for _ in range(10):
            one.enqueue(daily)
        with one._open_pool().connection() as own:
            found = own.execute("SELECT statement FROM pg_prepared_statements").fetchall()
    assert any("enqueue_job" in text for (text,) in found)


def test_the_client_names_itself_in_the_database(client: SyncQueueClient, connection: Any) -> None:
    client.enqueue(daily)
    names = connection.execute(
        "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
    )
    assert ("queue_worker client",) in names.fetchall()


def test_a_dsn_with_its_own_options_is_kept(database: str, connection: Any) -> None:
    settings = load_settings(
        database_url=make_conninfo(database, options="-c statement_timeout=12345")
    )
    with SyncQueueClient(registry, settings) as client:
        client.enqueue(daily)
        with client._open_pool().connection() as own:
            assert own.execute("SHOW statement_timeout").fetchone() == ("12345ms",)
