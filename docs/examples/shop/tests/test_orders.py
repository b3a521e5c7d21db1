from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from queue_worker import SyncQueueClient
from queue_worker.testing import QueueHarness
from shop.jobs import Export, Receipt, export_day, send_receipt, sum_up_day
from shop.orders import place_order

Connection = psycopg.Connection[tuple[Any, ...]]


def test_an_order_enqueues_its_receipt(
    queue: QueueHarness, client: SyncQueueClient, connection: Connection
) -> None:
    order_id = place_order(connection, client, "ada@example.com", Decimal("9.90"))
    queue.assert_enqueued(send_receipt, args=Receipt(order_id=order_id), count=1)


def test_an_order_that_is_refused_enqueues_nothing(
    queue: QueueHarness, client: SyncQueueClient, connection: Connection
) -> None:
    with pytest.raises(ValueError, match="by telephone"):
        place_order(connection, client, "ada@example.com", Decimal(20_000))
    queue.assert_enqueued(send_receipt, count=0)


def test_a_receipt_is_mailed_once_however_often_its_job_runs(
    queue: QueueHarness,
    client: SyncQueueClient,
    connection: Connection,
    mails: list[tuple[str, str]],
) -> None:
    order_id = place_order(connection, client, "ada@example.com", Decimal("9.90"))
    queue.enqueue(send_receipt, Receipt(order_id=order_id))
    assert [run.outcome for run in queue.run_enqueued()] == ["succeeded", "succeeded"]
    assert mails == [("ada@example.com", "Thank you for 9.90 euros.")]


def test_a_mail_server_that_is_down_is_tried_again_after_a_minute(
    queue: QueueHarness,
    client: SyncQueueClient,
    connection: Connection,
    request: pytest.FixtureRequest,
) -> None:
    place_order(connection, client, "ada@example.com", Decimal("9.90"))
    (run,) = queue.run_enqueued()
    assert (run.outcome, run.error_class) == ("failed", "ConnectionError")
    assert queue.run_enqueued() == []  # not before its time

    mails = request.getfixturevalue("mails")  # the server is back
    queue.clock.advance(timedelta(minutes=1))
    assert [run.outcome for run in queue.run_enqueued()] == ["succeeded"]
    assert len(mails) == 1


def test_each_night_the_days_are_summed_up(queue: QueueHarness, connection: Connection) -> None:
    connection.execute(
        "INSERT INTO customer_order (email, total) VALUES ('a@b.c', 3), ('d@e.f', 4)"
    )
    queue.clock.advance(timedelta(days=1))
    assert [job.job for job in queue.fire_due_ticks()] == [sum_up_day.name]
    assert [run.outcome for run in queue.run_enqueued()] == ["succeeded"]
    assert connection.execute("SELECT total FROM daily_sales").fetchall() == [(7,)]


def test_a_day_that_is_not_summed_up_cannot_be_exported(queue: QueueHarness) -> None:
    queue.enqueue(export_day, Export(day="2026-01-31"))
    (run,) = queue.run_enqueued()  # in a child process, as in a worker
    assert (run.outcome, run.error_class) == ("failed", "LookupError")
