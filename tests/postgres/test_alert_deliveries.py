"""Which deliveries are taken, in which order, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.rows import dict_row

from queue_worker.statements import statement
from tests.support.alerts import messages, record, tend


def take(connection: Any) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows: list[dict[str, Any]] = cursor.execute(
            statement("take_alert_deliveries"),
            {"limit": 100, "first_wait": 2.0, "longest_wait": 300.0},
        ).fetchall()
    return rows


def answer(connection: Any, taken: list[dict[str, Any]], state: str) -> list[Any]:
    rows: list[Any] = connection.execute(
        statement("record_alert_deliveries"),
        {
            "sink": taken[0]["sink"],
            "ids": [row["id"] for row in taken],
            "states": [state for _ in taken],
            "answers": [f"it {state}" for _ in taken],
            "most_tries": 3,
        },
    ).fetchall()
    return rows


def state(connection: Any) -> tuple[Any, ...]:
    (row,) = connection.execute(
        "SELECT state, tries, answer FROM queue_worker.alert_delivery"
    ).fetchall()
    return tuple(row)


def make_due(connection: Any) -> None:
    connection.execute("UPDATE queue_worker.alert_delivery SET next_try_at = now()")


def test_what_is_taken_is_not_due_for_a_while_even_if_nobody_answers(connection: Any) -> None:
    record(connection, "a")
    tend(connection)
    (row,) = take(connection)
    assert row["fingerprint"] == "JOB_FAILED:a"
    assert take(connection) == []
    waits = []
    for _ in range(4):
        make_due(connection)
        take(connection)
        (wait,) = connection.execute(
            "SELECT extract(epoch FROM next_try_at - last_tried_at)::float8 FROM queue_worker.alert_delivery"
        ).fetchone()
        waits.append(wait)
    assert waits == [pytest.approx(wait, abs=0.1) for wait in (4, 8, 16, 32)]


def test_a_recovery_does_not_overtake_what_it_recovers_from(connection: Any) -> None:
    """Or else an incident would be resolved before it is opened, and stay open."""
    record(connection, "a")
    tend(connection)
    assert len(take(connection)) == 1  # and not answered: it waits for its next try
    record(connection, "a", "succeeded")
    record(connection, "b")
    tend(connection)
    assert [kind for kind, *_ in messages(connection)].count("resolved") == 1
    assert [row["fingerprint"] for row in take(connection)] == ["JOB_FAILED:b"]
    make_due(connection)
    both = [row["kind"] for row in take(connection) if row["fingerprint"] == "JOB_FAILED:a"]
    assert both == ["raised", "resolved"]


def test_it_is_given_up_after_the_last_try_and_counted_once(connection: Any) -> None:
    record(connection, "a")
    tend(connection)
    for _ in range(2):
        assert answer(connection, take(connection), "failed") == []
        make_due(connection)
    taken = take(connection)
    assert len(answer(connection, taken, "failed")) == 1
    assert answer(connection, taken, "failed") == []
    assert state(connection) == ("given_up", 3, "it failed")
    make_due(connection)
    assert take(connection) == []
    assert connection.execute("SELECT undelivered FROM queue_worker.alerts_open").fetchone() == (1,)


def test_what_was_not_tried_is_not_charged(connection: Any) -> None:
    record(connection, "a")
    tend(connection)
    for _ in range(5):
        answer(connection, take(connection), "untried")
        make_due(connection)
    assert state(connection) == ("waiting", 0, "it untried")


def test_what_is_delivered_stays_so(connection: Any) -> None:
    record(connection, "a")
    tend(connection)
    taken = take(connection)
    answer(connection, taken, "delivered")
    answer(connection, taken, "failed")
    assert state(connection) == ("delivered", 1, "it delivered")


def test_each_sink_has_its_own_tries(connection: Any) -> None:
    record(connection, "a")
    tend(connection, sinks=["one", "two"])
    one, _two = take(connection)
    answer(connection, [one], "delivered")
    make_due(connection)
    assert [row["sink"] for row in take(connection)] == ["two"]
