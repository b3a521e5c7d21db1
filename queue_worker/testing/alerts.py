"""The alerts of one queue, recorded: what every sink would have been given."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import class_row

from queue_worker.observability.alerts.message import AlertMessage
from queue_worker.settings import Settings
from queue_worker.statements import statement
from queue_worker.worker.lookout import STORM


def read_alerts(connection: psycopg.Connection[Any], settings: Settings) -> list[AlertMessage]:
    """Fold what has happened into alerts, as a worker does, and return the messages so far."""
    connection.execute(
        statement("tend_alerts"),
        {
            "tell_every": settings.alert_window,
            "storm_from": STORM,
            "sinks": [],
            "delivery": None,
        },
    )
    with connection.cursor(row_factory=class_row(AlertMessage)) as cursor:
        return cursor.execute(statement("testing_read_alerts")).fetchall()
