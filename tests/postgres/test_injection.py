"""Names, keys, arguments and reasons are data, whoever gives them: nothing but errors and quoted text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from queue_worker import SyncQueueClient, load_settings
from queue_worker.definitions import JobDefinition
from queue_worker.errors import DefinitionError, QueueWorkerError
from queue_worker.queue.fleet import _describe
from queue_worker.statements import statement
from tests.cli.conftest import CATALOG
from tests.support.hostile import PAYLOADS, hostile_text
from tests.support.jobs import without_ticker
from tests.support.roles import as_login, session

Connection = psycopg.Connection[Any]
hostile = how(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
four = st.tuples(hostile_text, hostile_text, hostile_text, hostile_text)
REFUSED = (psycopg.Error, UnicodeError)


@pytest.fixture(autouse=True)
def unharmed(connection: Connection) -> Iterator[None]:
    """All that was there before is there after."""
    before = connection.execute(CATALOG).fetchall()
    connection.execute(
        "INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,"
        " enqueued_by, started_at, finished_at)"
        " VALUES (0, 1, 'kept', 'succeeded', 'q', now(), 'x', now(), now())"
    )
    yield
    assert connection.execute(CATALOG).fetchall() == before
    kept = connection.execute("SELECT count(*) FROM queue_worker.run WHERE job = 'kept'")
    assert kept.fetchone() == (1,)


@pytest.fixture
def enqueuer(database: str) -> Iterator[Connection]:
    with session(database, "enqueuer") as own:
        yield own


@pytest.fixture
def client(database: str) -> Iterator[SyncQueueClient]:
    settings = load_settings(database_url=as_login(database, "enqueuer"))
    with SyncQueueClient(without_ticker, settings) as client:
        yield client


@hostile
@given(texts=four)
def test_the_client_refuses_or_stores_what_it_was_given(
    client: SyncQueueClient,
    connection: Connection,
    texts: tuple[str, ...],
) -> None:
    job, text, lock_key, queueing_lock = texts
    with pytest.raises(QueueWorkerError):
        client.enqueue(job)
    try:
        answer = client.enqueue(
            "nap", {"name": text}, lock_key=lock_key, queueing_lock=queueing_lock
        )
    except QueueWorkerError:
        return
    stored = connection.execute(
        "SELECT args ->> 'name', lock, queueing_lock, task_name FROM procrastinate_jobs WHERE id = %s",
        [answer.queue_job_id],
    ).fetchone()
    if answer.enqueued:
        assert stored == (text, lock_key or None, queueing_lock, "nap")


@hostile
@given(texts=four)
def test_the_sql_function_refuses_or_stores_what_it_was_given(
    enqueuer: Connection,
    connection: Connection,
    texts: tuple[str, ...],
) -> None:
    job, text, key, reason = texts
    publish(connection, "nap")
    with pytest.raises(REFUSED):
        enqueuer.execute("SELECT queue_worker.enqueue(%s)", [job])
    query = "SELECT queue_worker.enqueue('nap', %s, lock_key => %s, reason => %s)"
    try:
        row = enqueuer.execute(query, [Jsonb({"name": text}), key, reason]).fetchone()
    except REFUSED:
        return
    assert row is not None
    stored = connection.execute(
        "SELECT args ->> 'name', lock FROM procrastinate_jobs WHERE id = %s", row
    ).fetchone()
    assert stored == (text, key)
    audited = connection.execute(
        "SELECT reason FROM queue_worker.audit_log WHERE subject = 'queue_job:' || %s", row
    ).fetchone()
    assert audited == (reason,)


_item = st.dictionaries(
    st.sampled_from(
        [
            "job",
            "queue",
            "priority",
            "lock_key",
            "queueing_lock",
            "args",
            "delay",
            "run_at",
            "due_at",
        ]
    )
    | hostile_text,
    hostile_text | st.integers() | st.floats() | st.none() | st.lists(hostile_text, max_size=2),
    max_size=9,
)


@hostile
@given(batch=st.lists(_item, max_size=3) | hostile_text | st.none())
def test_any_batch_at_all_is_refused_or_enqueued(
    enqueuer: Connection, connection: Connection, batch: Any
) -> None:
    """An enqueuer may call the function of the clients with what no client would send."""
    with suppress(*REFUSED):
        enqueuer.execute("SELECT * FROM queue_worker.enqueue_jobs(%s)", [Jsonb(batch)])
    states = "SELECT DISTINCT status::text, worker_id, attempts FROM procrastinate_jobs"
    assert connection.execute(states).fetchall() in ([], [("todo", None, 0)])


_parameters = st.tuples(
    hostile_text, hostile_text, st.integers(-(2**31), 2**31 - 1), st.none() | hostile_text,
    st.none() | hostile_text, hostile_text.map(Jsonb), st.none() | st.floats(),
    st.none() | st.datetimes(), st.none() | hostile_text.map(Jsonb),
)  # fmt: skip


@hostile
@given(parameters=_parameters)
def test_any_job_at_all_is_refused_or_enqueued(
    enqueuer: Connection, connection: Connection, parameters: tuple[Any, ...]
) -> None:
    """As above, for the function that enqueues one."""
    marks = "%s, %s, %s::integer, %s, %s, %s, %s::float8, %s::timestamptz, %s"
    with suppress(*REFUSED):
        enqueuer.execute(f"SELECT * FROM queue_worker.enqueue_job({marks})", parameters)
    states = "SELECT DISTINCT status::text, worker_id, attempts FROM procrastinate_jobs"
    assert connection.execute(states).fetchall() in ([], [("todo", None, 0)])


CALLS = [
    "SELECT queue_worker.audit(%(a)s, %(b)s, %(c)s, %(a)s, jsonb_build_object('x', %(b)s::text))",
    "SELECT queue_worker.assert_fence(%(a)s, %(b)s)",
    "SELECT content_pipeline.approve_suggestion(1, %(a)s, %(b)s)",
    "SELECT content_pipeline.reject_suggestion(1, %(a)s, %(b)s)",
    "SELECT content_pipeline.approve_retry(1, %(a)s, %(b)s)",
    "SELECT content_pipeline.promote_output(1, %(a)s, %(b)s)",
]


@hostile
@given(texts=four)
def test_every_function_with_text_takes_it_as_text(
    connection: Connection, texts: tuple[str, ...]
) -> None:
    for call in CALLS:
        with suppress(*REFUSED):
            connection.execute(call, dict(zip("abcd", texts, strict=True)))


@hostile
@given(texts=four)
def test_what_a_definition_says_is_refused_or_published_as_it_is(
    connection: Connection, texts: tuple[str, ...]
) -> None:
    name, queue, description, owner = texts
    noop = without_ticker.get("noop")
    try:
        job: JobDefinition[Any] = noop.replace(
            name=name, queue=queue, description=description, owner=owner
        )
    except DefinitionError:
        job = noop.replace(name="noop", description=description, owner=owner)
    try:
        connection.execute(
            statement("publish_jobs"),
            {"jobs": Jsonb([_describe(job)]), "registry_digest": "x"},
        )
    except REFUSED:
        return
    stored = connection.execute(
        "SELECT queue, owner FROM queue_worker.job WHERE name = %s", [job.name]
    ).fetchone()
    assert stored == (job.queue, owner)


@hostile
@given(job=hostile_text, outcome=hostile_text)
def test_what_the_reports_look_for_is_data(connection: Connection, job: str, outcome: str) -> None:
    parameters = {"job": job, "outcome": outcome, "limit": 5}
    with suppress(*REFUSED):
        assert connection.execute(statement("list_runs"), parameters).fetchall() == []


def publish(connection: Connection, name: str) -> None:
    connection.execute(
        statement("publish_jobs"),
        {"jobs": Jsonb([_describe(without_ticker.get(name))]), "registry_digest": "x"},
    )


def test_the_payloads_would_do_harm_if_they_were_taken_for_sql(connection: Connection) -> None:
    """The tests above can fail: the same text, put into a statement by hand, drops the ledger."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"SELECT '{PAYLOADS[0]}'")
        assert connection.execute("SELECT to_regclass('queue_worker.run')").fetchone() == (None,)
