"""Retention of many events while a writer goes on, killed on the way; checked by arithmetic alone.

python -m tests.support.retention_trial --events 10000000    rows and partitions, on a server of its own

The events are spread evenly over 200 days, and each carries its number, so that what must be left
is known without a look at the database.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from queue_worker.jobs import analytics_aggregator
from queue_worker.settings import load_settings
from tests.support.content import carry_out
from tests.support.postgres import temporary_server
from tests.support.processes import REPOSITORY, call, command, environment

DAYS = 200
KEPT_DAYS = 90
CHUNK = 500_000
LATE = timedelta(days=120)
BUSY = 75

LOAD = """
    INSERT INTO content_pipeline.analytics_event (occurred_at, content_id, learner_id, event_type)
    SELECT %(newest)s - i * %(step)s, 'content ' || i %% 20, i::text, 'view'
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
"""
WRITE = """
    INSERT INTO content_pipeline.analytics_event (occurred_at, content_id, learner_id, event_type)
    VALUES (%s, 'the writer', 'w', 'view')
"""
LEFT = """
    SELECT count(*), coalesce(sum(learner_id::bigint), 0), coalesce(max(learner_id::bigint), -1)
      FROM content_pipeline.analytics_event WHERE content_id <> 'the writer'
"""
WRITTEN = "SELECT count(*) FROM content_pipeline.analytics_event WHERE content_id = 'the writer'"
AGGREGATED = "SELECT sum(events)::bigint FROM content_pipeline.analytics_daily_aggregate"


@dataclass(frozen=True)
class Events:
    """So many events, evenly over the days before `newest`."""

    number: int
    newest: datetime

    @property
    def step(self) -> timedelta:
        return timedelta(days=DAYS) / self.number

    @property
    def kept(self) -> int:
        """How many are not older than the cutoff: those with the numbers from 0 on."""
        today = self.newest.replace(hour=0, minute=0, second=0, microsecond=0)
        age = self.newest - (today - timedelta(days=KEPT_DAYS))
        return age // self.step + 1

    @property
    def in_whole_partitions(self) -> int:
        """How many are of months of which every event goes."""
        cutoff = self.newest.replace(hour=0, minute=0, second=0, microsecond=0)
        month = (cutoff - timedelta(days=KEPT_DAYS)).replace(day=1)
        return self.number - (self.newest - month) // self.step - 1

    def load(self, connection: psycopg.Connection[Any], *, partitioned: bool) -> None:
        if partitioned:
            connection.execute(
                "SELECT content_pipeline.make_event_partitions((now() - interval '7 months')::date, 8)"
            )
        for first in range(0, self.number, CHUNK):
            last = min(first + CHUNK, self.number) - 1
            connection.execute(
                LOAD, {"newest": self.newest, "step": self.step, "first": first, "last": last}
            )
        connection.execute("VACUUM ANALYZE content_pipeline.analytics_event")


@dataclass
class Writer:
    """Inserts an event every few milliseconds and notes how long each takes."""

    dsn: str
    writes_late: bool
    seconds: list[float] = field(default_factory=list)
    written: int = 0

    def run(self, stop: threading.Event) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            while not stop.is_set():
                is_late = self.writes_late and self.written % 50 == 0
                moment = datetime.now(UTC) - (LATE if is_late else timedelta(0))
                begun = time.perf_counter()
                connection.execute(WRITE, [moment])
                self.seconds.append(time.perf_counter() - begun)
                self.written += 1
                stop.wait(0.004)

    def take(self) -> tuple[float, float]:
        """The p99 and the longest of what was measured since it was last asked, in milliseconds."""
        taken, self.seconds = self.seconds, []
        return round(statistics.quantiles(taken, n=100)[98] * 1000, 2), round(max(taken) * 1000, 2)


@contextmanager
def writing(writer: Writer) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass
class Trial:
    """One retention from plan to end."""

    dsn: str
    events: Events
    partitioned: bool
    kills: int
    quiet_seconds: float
    dropped_after: float | None = None

    def run(self) -> dict[str, Any]:
        with connect(self.dsn, name="trial") as connection:
            self.events.load(connection, partitioned=self.partitioned)
            carry_out(analytics_aggregator.job, load_settings(database_url=self.dsn))
            writer = Writer(self.dsn, writes_late=not self.partitioned)
            with writing(writer):
                time.sleep(self.quiet_seconds)
                quiet = writer.take()
                plan = self._plan()
                begun = time.monotonic()
                killed = self._apply(connection, plan["plan_id"])
                seconds = time.monotonic() - begun
                busy = writer.take()
            facts = {
                "events": self.events.number,
                "partitioned": self.partitioned,
                "planned": sum(step["rows"] for step in plan["steps"]),
                "killed": killed,
                "seconds": round(seconds, 1),
                "partitions_dropped_after": self.dropped_after,
                "writer_p99_ms_quiet": quiet[0],
                "writer_p99_ms_meanwhile": busy[0],
                "writer_longest_ms": busy[1],
            }
            self._check(connection, writer, facts)
            return facts

    def _plan(self) -> dict[str, Any]:
        answer = call(environment(self.dsn), "retention", "plan", "--json", timeout=900)
        assert answer.returncode == 0, answer.stderr
        plan: dict[str, Any] = json.loads(answer.stdout)
        return plan

    def _apply(self, connection: psycopg.Connection[Any], plan_id: int) -> int:
        """Apply it, killed at every sixth of the way, say; returns how often it was."""
        killed = 0
        while True:
            process = subprocess.Popen(
                command("retention", "apply", str(plan_id)), env=environment(self.dsn), cwd=REPOSITORY,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            if self.partitioned:
                self._time_partitions(connection, process, plan_id)
            if killed < self.kills:
                self._wait_for_share(connection, process, plan_id, (killed + 1) / (self.kills + 1))
                killed += process.poll() is None
                process.kill()
            _, said = process.communicate(timeout=900)
            if process.returncode == 0:
                return killed
            assert process.returncode in {-9, BUSY}, said  # busy: the server has yet to notice

    def _time_partitions(
        self, connection: psycopg.Connection[Any], process: subprocess.Popen[str], plan_id: int
    ) -> None:
        """How long after the start of the process the whole partitions were gone."""
        begun = time.monotonic()
        share = self.events.in_whole_partitions / (self.events.number - self.events.kept)
        self._wait_for_share(connection, process, plan_id, share)
        self.dropped_after = round(time.monotonic() - begun, 1)

    def _wait_for_share(
        self,
        connection: psycopg.Connection[Any],
        process: subprocess.Popen[str],
        plan_id: int,
        share: float,
    ) -> None:
        query = "SELECT sum(removed) >= %s * sum(rows) FROM queue_worker.retention_step WHERE plan_id = %s"
        while process.poll() is None:
            if connection.execute(query, [share, plan_id]).fetchone() == (True,):
                return
            time.sleep(0.01)

    def _check(
        self, connection: psycopg.Connection[Any], writer: Writer, facts: dict[str, Any]
    ) -> None:
        kept = self.events.kept
        left = connection.execute(LEFT).fetchone()
        assert left == (kept, kept * (kept - 1) // 2, kept - 1), (left, kept, facts)
        assert connection.execute(WRITTEN).fetchone() == (writer.written,)
        assert facts["planned"] == self.events.number - kept
        assert facts["killed"] == self.kills
        carry_out(analytics_aggregator.job, load_settings(database_url=self.dsn))
        (aggregated,) = connection.execute(AGGREGATED).fetchone() or (0,)
        late = math.ceil(writer.written / 50) if writer.writes_late else 0
        everything = self.events.number + writer.written
        # A late event is counted if it came before its day was final.
        assert everything - late <= aggregated <= everything, (aggregated, everything, late)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--postgres", default="18")
    parser.add_argument("--only", choices=["rows", "partitions"])
    arguments = parser.parse_args()
    ok = True
    for partitioned in (False, True):
        if arguments.only not in {None, "partitions" if partitioned else "rows"}:
            continue
        with temporary_server(arguments.postgres, options={"shared_buffers": "512MB"}) as server:
            with connect(server.dsn(), name="trial") as connection:
                migrate(connection)
            events = Events(arguments.events, datetime.now(UTC).replace(microsecond=0))
            trial = Trial(server.dsn(), events, partitioned, 0 if partitioned else 5, 20)
            facts = trial.run()
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()
            ok &= facts["writer_p99_ms_meanwhile"] <= 2 * facts["writer_p99_ms_quiet"]
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
