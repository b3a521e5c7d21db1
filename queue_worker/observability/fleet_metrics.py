"""Series of the whole fleet, for Prometheus: read from the database, at most every few seconds.

Every worker offers them, with the same values; so whoever is left can tell. Nothing is read unless
somebody asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from queue_worker.errors import DatabaseUnreachable
from queue_worker.session import Rows, Session

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

LONGEST_AGE = 10.0  # seconds that an answer of the database is good for
PATIENCE = 2.0  # seconds for each statement


@dataclass(frozen=True, slots=True)
class Reading:
    """One statement of `sql/queries`, and the series that its columns are.

    Attributes:
        labels: the names of its first columns.
        series: name and meaning of each column after them; a null is left out. A name that ends in
            `_total` is a counter.
    """

    statement: str
    labels: tuple[str, ...]
    series: Mapping[str, str]


READINGS = (
    Reading(
        "measure_jobs",
        ("job",),
        {
            "job_last_success_timestamp_seconds": (
                "When a run last succeeded; left out if none of the newest 200 did."
            ),
            "job_last_failure_timestamp_seconds": (
                "When a run last failed, timed out or was lost; "
                "left out if none of the newest 50 did."
            ),
            "job_next_due_timestamp_seconds": "The tick of its schedule that comes next.",
            "job_overdue_seconds": "For how long it has been due without a run; 0 if it is not.",
        },
    ),
    Reading(
        "measure_queues",
        ("queue",),
        {
            "queue_due_jobs": "Jobs that could run now; 10000 stands for any number from there on.",
            "queue_oldest_due_age_seconds": "How long the oldest of them has been due; 0 if none.",
        },
    ),
    Reading("measure_running", ("job",), {"job_running_runs": "Runs that are claimed now."}),
    Reading("measure_workers", ("kind",), {"queue_worker_fleet_processes": "Processes that live."}),
    Reading(
        "measure_alert_deliveries",
        ("sink", "state"),
        {
            "alert_deliveries": (
                "Messages of alerts that wait, or were delivered or given up within the last hour; "
                "left out if none."
            ),
        },
    ),
    Reading(
        "measure_retention",
        ("policy",),
        {"retention_removed_rows_total": "Rows that retention has removed, since ever."},
    ),
)


class FleetMetrics(Collector):
    """The last answers of the database, as series.

    Args:
        dsn: where to ask.
        connect_timeout: seconds to wait for a connection.
        readings: what to ask for.
    """

    def __init__(
        self, dsn: str, *, connect_timeout: float, readings: tuple[Reading, ...] = READINGS
    ) -> None:
        self._dsn = dsn
        self._connect_timeout = min(connect_timeout, PATIENCE)
        self._readings = readings
        self._answers: Mapping[str, Rows] = {}
        self._asked = -LONGEST_AGE
        self._is_up = False
        self._turn: asyncio.Lock | None = None

    async def refresh(self) -> None:
        """Ask the database, unless its last answer is still good. Raises nothing for it."""
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            if time.monotonic() - self._asked < LONGEST_AGE:
                return
            try:
                self._answers, self._is_up = await self._ask(), True
            except (DatabaseUnreachable, psycopg.Error) as error:
                # Old answers would say that all is as it was.
                self._answers, self._is_up = {}, False
                log.warning("metrics.unread", error=str(error).strip())
            self._asked = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        """The series, for prometheus_client."""
        yield GaugeMetricFamily(
            "queue_worker_database_up",
            "Whether the series that come from the database could be read.",
            value=float(self._is_up),
        )
        for reading in self._readings:
            rows = self._answers.get(reading.statement, [])
            for column, (name, meaning) in enumerate(reading.series.items(), len(reading.labels)):
                yield _family(name, meaning, reading.labels, rows, column)

    async def _ask(self) -> dict[str, Rows]:
        session = Session(
            self._dsn,
            name="queue_worker metrics",
            connect_timeout=self._connect_timeout,
            time_limit=PATIENCE,
        )
        try:
            return {r.statement: await session.fetch(r.statement, {}) for r in self._readings}
        finally:
            await session.aclose()


def _family(
    name: str, meaning: str, labels: tuple[str, ...], rows: Rows, column: int
) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(name, meaning, labels=labels)
    for row in rows:
        if row[column] is not None:
            family.add_metric([str(label) for label in row[: len(labels)]], _number(row[column]))
    return family


def _number(value: Any) -> float:  # noqa: ANN401  whatever a column holds
    match value:
        case datetime():
            return value.timestamp()
        case timedelta():
            return value.total_seconds()
    return float(value)
