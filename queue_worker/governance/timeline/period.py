"""What happened in a period, bounded: however many runs there were, so many bars are the most."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from queue_worker.governance.reports import Connection, Row, read_rows

MOST_JOBS = 200  # that are drawn: those with most failures, then those with most runs
MOST_BARS = 12_000  # on the whole page
MOST_BARS_OF_A_JOB = 400
MOST_FAILURES = 100  # in the list


@dataclass(frozen=True, slots=True)
class Lane:
    """One job of the period.

    Attributes:
        runs, failures: how many ended in the period.
        percentiles: of the duration in seconds: half, 95 and 99 of a hundred; empty without runs.
        longest: the longest duration in seconds.
        bars: its runs; one row stands for several where there are too many.
        misses: ticks that led to no run, by stretches of time.
        open_runs: runs that have not ended.
    """

    job: str
    runs: int = 0
    failures: int = 0
    percentiles: tuple[float, ...] = ()
    longest: float = 0.0
    bars: list[Row] = field(default_factory=list)
    misses: list[Row] = field(default_factory=list)
    open_runs: list[Row] = field(default_factory=list)

    @property
    def is_condensed(self) -> bool:
        """Whether a bar may stand for several runs."""
        return len(self.bars) < self.runs


@dataclass(frozen=True, slots=True)
class Period:
    """What happened from `since` until `until`.

    Attributes:
        database: its name.
        lanes: the jobs, those with failures first.
        failures: the newest failed runs.
        left_out: how many jobs had runs and are not drawn.
    """

    database: str
    since: datetime
    until: datetime
    lanes: list[Lane]
    failures: list[Row]
    left_out: int


def read_period(connection: Connection, hours: float) -> Period:
    """Read what happened in the last hours, by the database's clock."""
    until = read_rows(connection, "read_clock")[0]["now"]
    span: dict[str, Any] = {"since": until - timedelta(hours=hours), "until": until}
    counted = read_rows(connection, "timeline_jobs", **span)
    drawn = counted[:MOST_JOBS]
    most = min(MOST_BARS_OF_A_JOB, MOST_BARS // max(1, len(drawn)))
    bars = read_rows(
        connection,
        "timeline_bars",
        **span,
        most=most,
        jobs=[row["job"] for row in drawn],
        runs=[row["runs"] for row in drawn],
    )
    return Period(
        database=connection.info.dbname,
        lanes=_lanes(
            drawn,
            bars=bars,
            misses=read_rows(connection, "timeline_ticks", **span, most=most),
            open_runs=read_rows(connection, "timeline_open_runs", most=MOST_BARS // 10),
        ),
        failures=read_rows(connection, "timeline_failures", **span, most=MOST_FAILURES),
        left_out=len(counted) - len(drawn),
        **span,
    )


def _lanes(drawn: list[Row], **found: list[Row]) -> list[Lane]:
    """A lane for each job that ran; then for those that should have, or have only begun to."""
    lanes = {
        row["job"]: Lane(
            row["job"], row["runs"], row["failures"], tuple(row["percentiles"]), row["longest"]
        )
        for row in drawn
    }
    for kind, rows in found.items():
        for job, of_job in _by_job(rows).items():
            if job in lanes or len(lanes) < 2 * MOST_JOBS:
                getattr(lanes.setdefault(job, Lane(job)), kind).extend(of_job)
    return list(lanes.values())


def _by_job(rows: list[Row]) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[row["job"]].append(row)
    return found
