"""What goes on at this moment, read at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from queue_worker.governance import reports
from queue_worker.governance.reports import Connection, Row

_MOST = 200  # rows of a kind; no screen shows more


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Workers, queues, runs, ticks and failures, each as the rows of its report.

    Attributes:
        database: its name.
        taken_at: when, by this machine's clock.
    """

    database: str
    taken_at: datetime
    workers: list[Row]
    queues: list[Row]
    running: list[Row]
    next_ticks: list[Row]
    failures: list[Row]


def take_snapshot(connection: Connection) -> Snapshot:
    """Read it, by cheap statements only."""
    return Snapshot(
        database=connection.info.dbname,
        taken_at=datetime.now(UTC),
        workers=reports.list_workers(connection),
        queues=reports.list_queue_depth(connection),
        running=reports.list_running(connection),
        next_ticks=reports.list_next_ticks(connection, limit=_MOST),
        failures=reports.list_recent_failures(connection, limit=_MOST),
    )
