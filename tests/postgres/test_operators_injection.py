"""Whatever names, reasons and actors hold: they are data, or one error of ours."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from queue_worker.errors import OperationRefused
from queue_worker.governance import operations
from queue_worker.governance.audit import verify_audit
from queue_worker.governance.operations import Kind, Operator

Connection = psycopg.Connection[Any]

hostile = st.one_of(
    st.text(max_size=60),
    st.sampled_from([
        "'", '"', "''; DROP TABLE queue_worker.pause; --", "$$", "%s", "%(name)s", "\\", "{}",
        "a\x00b", "\ud800", "\u202e", "🙈", "x" * 5000, "');SELECT pg_sleep(9);--", "E'\\'", "NULL",
    ]),
)  # fmt: skip
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


@pytest.fixture
def schema(connection: Connection) -> list[tuple[Any, ...]]:
    return catalog(connection)


def catalog(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT oid, relname, relkind FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_'"
        " AND relkind <> 'S' ORDER BY oid"
    ).fetchall()


def newest(connection: Connection) -> tuple[Any, ...]:
    row = connection.execute(
        "SELECT actor, subject, reason FROM queue_worker.audit_log ORDER BY audit_id DESC LIMIT 1"
    ).fetchone()
    assert row is not None
    return tuple(row)


@many
@given(
    name=hostile, by=st.builds(Operator, hostile, hostile), kind=st.sampled_from(["job", "queue"])
)
def test_a_pause_holds_any_name_as_it_is_or_refuses_it(
    connection: Connection, schema: list[Any], name: str, by: Operator, kind: Kind
) -> None:
    column = {"job": "task_name", "queue": "queue_name"}[kind]
    other = {"job": "queue_name", "queue": "task_name"}[kind]
    can_wait = storable(name) and 0 < len(name.encode()) <= 40
    if can_wait:
        connection.execute(
            f"INSERT INTO procrastinate_jobs ({column}, {other}) VALUES (%s, 'x')", [name]
        )
    is_named = storable(by.actor + by.reason) and by.actor.strip(" ") and by.reason.strip(" ")
    if not (can_wait and is_named):
        with pytest.raises(OperationRefused):
            operations.pause(connection, kind, name, by)
    else:
        assert operations.pause(connection, kind, name, by) == "paused"
        assert newest(connection) == (by.actor, f"{kind}:{name}", by.reason)
        assert connection.execute("SELECT kind, name FROM queue_worker.pause").fetchall() == [
            (kind, name)
        ]
        assert operations.resume(connection, kind, name, by) == "resumed"
    connection.execute("DELETE FROM procrastinate_jobs")
    assert catalog(connection) == schema
    assert verify_audit(connection).problems == []


@many
@given(text=hostile, number=st.integers(-(2**70), 2**70))
def test_keys_jobs_numbers_and_anchors_are_data_or_refused(
    connection: Connection, schema: list[Any], text: str, number: int
) -> None:
    by = Operator("ada", "because")
    with pytest.raises(OperationRefused):
        operations.release_lock(connection, text, by)
    with pytest.raises(OperationRefused):
        operations.retire_job(connection, text, by)
    with pytest.raises(OperationRefused):
        operations.cancel_job(connection, number, by)
    with pytest.raises(OperationRefused):
        operations.retry_job(connection, number, by)
    if storable(text):
        assert operations.requeue_lost(connection, by, job=text) == []
        assert len(verify_audit(connection, anchor=text).problems) == 1
    else:
        with pytest.raises(OperationRefused):
            verify_audit(connection, anchor=text)
    assert catalog(connection) == schema


@many
@given(key=hostile.filter(lambda key: storable(key) and 0 < len(key.encode()) < 2000))
def test_any_lock_key_that_can_be_held_can_be_released(connection: Connection, key: str) -> None:
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, lock)"
        " VALUES ('q', 'x', 'doing', %s)",
        [key],
    )
    assert operations.release_lock(connection, key, Operator("ada", "because"))
    assert newest(connection) == ("ada", f"lock_key:{key}", "because")
