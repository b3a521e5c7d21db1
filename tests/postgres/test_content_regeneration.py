from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from queue_worker.errors import ContentError, GeneratorMissing
from queue_worker.jobs import regeneration_worker, retry_executor
from queue_worker.jobs.generator import GenerationRequest
from queue_worker.settings import Settings, load_settings
from tests.support.content import Connection, add_request, carry_out, killed_at_commit, rows_of


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def echo(request: GenerationRequest) -> str:
    return f"{request.content_id}: {request.kind}, {request.summary}, {request.evidence}"


def fail_for_c2(request: GenerationRequest) -> str:
    if request.content_id == "c2":
        raise ValueError("no\0 idea \ud800" + "!" * 1000)
    return "text"


def die(request: GenerationRequest) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def leave(request: GenerationRequest) -> str:
    sys.exit("out of memory")


def raise_unreadable(request: GenerationRequest) -> str:
    raise UnreadableError


def answer_nothing(request: GenerationRequest) -> str:
    return " \n"


def answer_bytes(request: GenerationRequest) -> Any:
    return b"text"


def answer_nul(request: GenerationRequest) -> str:
    return "a\0b"


def answer_surrogate(request: GenerationRequest) -> str:
    return "\ud800"


def named(generator: Callable[..., Any]) -> str:
    return f"{__name__}:{generator.__name__}"


def regenerate(database: str, generator: Callable[..., Any]) -> None:
    settings = load_settings(database_url=database, content_generator=named(generator))
    carry_out(regeneration_worker.job, settings)


def states_in(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        SELECT state, error_class, o.content_id, o.generator
          FROM content_pipeline.regeneration_request AS r
          LEFT JOIN content_pipeline.regeneration_output AS o USING (request_id)
         ORDER BY request_id
        """
    ).fetchall()


def approve_retry(connection: Connection, request_id: int) -> None:
    connection.execute(
        "SELECT content_pipeline.approve_retry(%s, 'ada', 'the cause is gone')", [request_id]
    )


def test_an_approved_suggestion_gets_one_output(database: str, connection: Connection) -> None:
    add_request(connection, "c1")
    regenerate(database, echo)
    assert states_in(connection) == [("done", None, "c1", named(echo))]
    body = connection.execute("SELECT body FROM content_pipeline.regeneration_output").fetchone()
    assert body == ("c1: falling_score, falling score, [{'z_score': 5}]",)

    before = rows_of(connection, "regeneration_output"), rows_of(connection, "regeneration_request")
    regenerate(database, echo)
    after = rows_of(connection, "regeneration_output"), rows_of(connection, "regeneration_request")
    assert after == before


def test_without_work_no_generator_is_needed(settings: Settings) -> None:
    carry_out(regeneration_worker.job, settings)


def test_work_without_a_generator_fails_and_goes_on_waiting(
    connection: Connection, settings: Settings
) -> None:
    add_request(connection)
    with pytest.raises(GeneratorMissing, match="Set CONTENT_GENERATOR"):
        carry_out(regeneration_worker.job, settings)
    assert states_in(connection) == [("waiting", None, None, None)]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("nowhere", "is not of the form module:callable"),
        ("no.such.module:generate", "does not import"),
        ("json:no_such_name", "does not import"),
        ("json:__name__", "cannot be called"),
    ],
)
def test_a_generator_that_cannot_be_loaded_fails_the_run_and_not_the_request(
    database: str, connection: Connection, reference: str, problem: str
) -> None:
    add_request(connection)
    settings = load_settings(database_url=database, content_generator=reference)
    with pytest.raises(ContentError, match=problem):
        carry_out(regeneration_worker.job, settings)
    assert states_in(connection) == [("waiting", None, None, None)]


def test_a_request_that_fails_does_not_stop_the_others(
    database: str, connection: Connection
) -> None:
    for content_id in ("c1", "c2", "c3"):
        add_request(connection, content_id)
    with pytest.raises(ContentError, match="failed for 1 of 3 requests"):
        regenerate(database, fail_for_c2)
    assert [row[:2] for row in states_in(connection)] == [
        ("done", None),
        ("failed", "ValueError"),
        ("done", None),
    ]
    message = connection.execute(
        "SELECT error_message FROM content_pipeline.regeneration_request WHERE state = 'failed'"
    ).fetchone()
    assert message is not None
    assert message[0].startswith("no\\0 idea \\ud800!!!")
    assert len(message[0]) < 520

    before = rows_of(connection, "regeneration_request")
    regenerate(database, fail_for_c2)
    assert rows_of(connection, "regeneration_request") == before, "never retried by itself"


@pytest.mark.parametrize(
    ("generator", "error_class"),
    [
        (answer_nothing, "ContentError"),
        (answer_bytes, "ContentError"),
        (answer_nul, "ContentError"),
        (answer_surrogate, "UnicodeEncodeError"),
        (leave, "SystemExit"),
        (raise_unreadable, "UnreadableError"),
    ],
)
def test_an_answer_that_is_no_text_makes_the_request_failed(
    database: str, connection: Connection, generator: Callable[..., Any], error_class: str
) -> None:
    add_request(connection)
    with pytest.raises(ContentError, match="failed for 1 of 1"):
        regenerate(database, generator)
    assert states_in(connection) == [("failed", error_class, None, None)]


def test_killed_while_the_generator_works_and_run_again_there_is_one_output(
    database: str, connection: Connection
) -> None:
    add_request(connection)
    child = multiprocessing.get_context("spawn").Process(target=regenerate, args=(database, die))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert states_in(connection) == [("waiting", None, None, None)]
    regenerate(database, echo)
    assert states_in(connection) == [("done", None, "c1", named(echo))]


@pytest.mark.parametrize("table", ["regeneration_request", "regeneration_output"])
def test_disconnected_while_storing_and_run_again_there_is_one_output(
    database: str, connection: Connection, table: str
) -> None:
    add_request(connection, "c1")
    add_request(connection, "c2")
    with killed_at_commit(connection, table), pytest.raises(psycopg.OperationalError):
        regenerate(database, echo)
    assert [row[0] for row in states_in(connection)] == ["waiting", "waiting"]
    regenerate(database, echo)
    assert [row[:3] for row in states_in(connection)] == [
        ("done", None, "c1"),
        ("done", None, "c2"),
    ]


def test_an_approved_retry_is_carried_out_and_no_other(
    database: str, connection: Connection, settings: Settings
) -> None:
    first, second = add_request(connection, "c2"), add_request(connection, "c2-other")
    connection.execute("UPDATE content_pipeline.content_suggestion SET content_id = 'c2'")
    with pytest.raises(ContentError, match="failed for 2 of 2"):
        regenerate(database, fail_for_c2)
    carry_out(retry_executor.job, settings)
    assert [row[0] for row in states_in(connection)] == ["failed", "failed"]

    approve_retry(connection, first)
    carry_out(retry_executor.job, settings)
    assert [row[0] for row in states_in(connection)] == ["waiting", "failed"]
    tables = ("regeneration_request", "retry_intent")
    before = [rows_of(connection, table) for table in tables]
    carry_out(retry_executor.job, settings)
    assert [rows_of(connection, table) for table in tables] == before

    regenerate(database, echo)
    assert [row[0] for row in states_in(connection)] == ["done", "failed"]
    approve_retry(connection, second)


@pytest.mark.parametrize("table", ["regeneration_request", "retry_intent"])
def test_a_retry_killed_at_commit_and_run_again_gives_the_same_rows(
    database: str, connection: Connection, settings: Settings, table: str
) -> None:
    request_id = add_request(connection, "c2")
    with pytest.raises(ContentError):
        regenerate(database, fail_for_c2)
    approve_retry(connection, request_id)
    before = rows_of(connection, "regeneration_request"), rows_of(connection, "retry_intent")
    with killed_at_commit(connection, table), pytest.raises(psycopg.OperationalError):
        carry_out(retry_executor.job, settings)
    assert (
        rows_of(connection, "regeneration_request"),
        rows_of(connection, "retry_intent"),
    ) == before
    carry_out(retry_executor.job, settings)
    assert states_in(connection) == [("waiting", None, None, None)]
    assert connection.execute("SELECT state FROM content_pipeline.retry_intent").fetchall() == [
        ("done",)
    ]
