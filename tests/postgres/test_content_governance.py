from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from queue_worker.jobs import regeneration_worker
from queue_worker.settings import load_settings
from tests.support.content import Connection, add_request, add_suggestion, carry_out, rows_of

TABLES = (
    "content_suggestion",
    "regeneration_request",
    "regeneration_output",
    "published_output",
    "retry_intent",
)


def call(connection: Connection, function: str, *arguments: Any) -> Any:
    row = connection.execute(
        sql.SQL("SELECT content_pipeline.{}({})").format(
            sql.Identifier(function), sql.SQL(", ").join(map(sql.Literal, arguments))
        )
    ).fetchone()
    assert row
    return row[0]


def audited(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        SELECT actor, action, subject, reason, details FROM queue_worker.audit_log
         WHERE action NOT LIKE 'migration%' ORDER BY audit_id
        """
    ).fetchall()


def add_failed_request(connection: Connection) -> int:
    request_id = add_request(connection)
    connection.execute(
        """
        UPDATE content_pipeline.regeneration_request
           SET state = 'failed', finished_at = now(), error_class = 'ValueError', error_message = ''
        """
    )
    return request_id


def add_output(connection: Connection) -> int:
    add_request(connection)
    settings = load_settings(
        database_url=connection.info.dsn,
        content_generator="queue_worker.demo.template_generator:generate",
    )
    carry_out(regeneration_worker.job, settings)
    row = connection.execute(
        "SELECT output_id FROM content_pipeline.regeneration_output"
    ).fetchone()
    assert row
    return int(row[0])


STEPS = [
    ("approve_suggestion", add_suggestion),
    ("reject_suggestion", add_suggestion),
    ("approve_retry", add_failed_request),
    ("promote_output", add_output),
]


def test_approving_a_suggestion_requests_its_regeneration(connection: Connection) -> None:
    suggestion_id = add_suggestion(connection)
    request_id = call(connection, "approve_suggestion", suggestion_id, "ada", "clear numbers")
    decided = connection.execute(
        "SELECT state, decided_by, decision_reason FROM content_pipeline.content_suggestion"
    ).fetchall()
    assert decided == [("approved", "ada", "clear numbers")]
    requests = connection.execute(
        "SELECT request_id, suggestion_id, state FROM content_pipeline.regeneration_request"
    ).fetchall()
    assert requests == [(request_id, suggestion_id, "waiting")]
    assert audited(connection) == [
        (
            "ada", "suggestion.approved", f"suggestion:{suggestion_id}", "clear numbers",
            {"content_id": "c1", "kind": "falling_score"},
        )
    ]  # fmt: skip


def test_rejecting_a_suggestion_requests_nothing(connection: Connection) -> None:
    suggestion_id = add_suggestion(connection)
    call(connection, "reject_suggestion", suggestion_id, "ada", "holidays")
    assert rows_of(connection, "regeneration_request") == []
    assert [row[:4] for row in audited(connection)] == [
        ("ada", "suggestion.rejected", f"suggestion:{suggestion_id}", "holidays")
    ]
    add_suggestion(connection)


def test_approving_a_retry_writes_the_intent(connection: Connection) -> None:
    request_id = add_failed_request(connection)
    retry_id = call(connection, "approve_retry", request_id, "grace", "it is back")
    intents = connection.execute(
        "SELECT retry_id, request_id, state, approved_by, reason FROM content_pipeline.retry_intent"
    ).fetchall()
    assert intents == [(retry_id, request_id, "approved", "grace", "it is back")]
    assert audited(connection)[-1] == (
        "grace", "retry.approved", f"regeneration_request:{request_id}", "it is back",
        {"error_class": "ValueError"},
    )  # fmt: skip


def test_promotion_is_one_row_of_published_output(connection: Connection) -> None:
    output_id = add_output(connection)
    before = {table: rows_of(connection, table) for table in TABLES}
    published_id = call(connection, "promote_output", output_id, "ada", "read it")
    after = {table: rows_of(connection, table) for table in TABLES}
    assert [table for table in TABLES if after[table] != before[table]] == ["published_output"]
    published = connection.execute(
        """
        SELECT published_id, output_id, content_id, published_by, reason
          FROM content_pipeline.published_output
        """
    ).fetchall()
    assert published == [(published_id, output_id, "c1", "ada", "read it")]
    assert audited(connection)[-1] == (
        "ada", "output.promoted", f"output:{output_id}", "read it", {"content_id": "c1"}
    )  # fmt: skip


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), (" ", "why"), (None, "why"), ("ada", ""), ("ada", None)])  # fmt: skip
@pytest.mark.parametrize(("function", "add"), STEPS)
def test_nobody_and_no_reason_are_refused(
    connection: Connection,
    function: str,
    add: Callable[[Connection], int],
    actor: str | None,
    reason: str | None,
) -> None:
    key = add(connection)
    assert_refused(connection, errors.InvalidParameterValue, function, key, actor, reason)


@pytest.mark.parametrize(("function", "add"), STEPS)
@pytest.mark.parametrize("key", [0, 2**62, None])
def test_an_unknown_id_is_refused(
    connection: Connection, function: str, add: Callable[[Connection], int], key: int | None
) -> None:
    assert_refused(connection, errors.NoDataFound, function, key, "ada", "why")


@pytest.mark.parametrize(("function", "add"), STEPS)
def test_a_second_time_is_refused(
    connection: Connection, function: str, add: Callable[[Connection], int]
) -> None:
    key = add(connection)
    call(connection, function, key, "ada", "why")
    wrong_state = errors.ObjectNotInPrerequisiteState
    assert_refused(connection, wrong_state, function, key, "grace", "again")


def test_only_a_failed_request_can_be_retried(connection: Connection) -> None:
    request_id = add_request(connection)
    wrong_state = errors.ObjectNotInPrerequisiteState
    assert_refused(connection, wrong_state, "approve_retry", request_id, "ada", "why")


def assert_refused(
    connection: Connection, error: type[psycopg.Error], function: str, *arguments: Any
) -> None:
    before = [rows_of(connection, table) for table in TABLES], audited(connection)
    with pytest.raises(error) as raised:
        call(connection, function, *arguments)
    assert raised.value.diag.message_hint
    assert ([rows_of(connection, table) for table in TABLES], audited(connection)) == before


@pytest.mark.parametrize(
    ("table", "refused"),
    [
        ("content_suggestion", ["DELETE FROM {}", "TRUNCATE {} CASCADE"]),
        ("regeneration_output", ["UPDATE {} SET body = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"]),
        ("published_output", ["UPDATE {} SET reason = 'x'", "DELETE FROM {}", "TRUNCATE {}"]),
    ],
)  # fmt: skip
def test_what_is_kept_for_ever_cannot_be_lost(
    connection: Connection, table: str, refused: list[str]
) -> None:
    call(connection, "promote_output", add_output(connection), "ada", "read it")
    before = rows_of(connection, table)
    for command in refused:
        with pytest.raises(errors.RestrictViolation, match="never changed"):
            connection.execute(command.format(f"content_pipeline.{table}"))
    assert rows_of(connection, table) == before != []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE content_pipeline.content_suggestion SET state = 'open'",
        "UPDATE content_pipeline.content_suggestion SET decided_by = NULL",
        "UPDATE content_pipeline.content_suggestion SET decision_reason = ' '",
        "UPDATE content_pipeline.content_suggestion SET evidence = '[]'",
        "UPDATE content_pipeline.regeneration_request SET state = 'waiting'",
        "UPDATE content_pipeline.regeneration_request SET state = 'failed'",
        """
        INSERT INTO content_pipeline.retry_intent (request_id, state, approved_by, reason)
        SELECT request_id, 'done', 'ada', 'why' FROM content_pipeline.regeneration_request
        """,
    ],
)
def test_a_state_and_its_facts_belong_together(connection: Connection, change: str) -> None:
    add_output(connection)
    with pytest.raises(errors.CheckViolation):
        connection.execute(change)
