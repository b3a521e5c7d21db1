"""Series of the fleet come from the database: right, seldom, and cheap whatever has run."""

from __future__ import annotations

import json
import time
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from queue_worker.observability import fleet_metrics
from queue_worker.observability.fleet_metrics import READINGS, FleetMetrics
from queue_worker.statements import statement
from tests.support.endpoints import parse

FINISHED = 200_000
MOST_MS = 5.0
JOBS = 30


class Asked(FleetMetrics):
    """Counts how often the database is asked."""

    asked = 0

    async def _ask(self) -> Any:
        self.asked += 1
        return await super()._ask()


@pytest.fixture
def metrics(database: str) -> Asked:
    return Asked(database, connect_timeout=5)


def series(metrics: FleetMetrics) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(metrics)
    return parse(generate_latest(registry).decode())


def declare(connection: psycopg.Connection[Any], *names: str, next_due: str = "NULL") -> None:
    connection.execute(
        f"""INSERT INTO queue_worker.job (name, description, schedule, queue, priority, timeout,
                max_attempts, restartable, owner, runbook, registry_digest, next_due_at)
            SELECT name, '', 'manual', 'default', 0, '1 minute', 1, false, '', '', '', {next_due}
            FROM unnest(%s::text[]) AS name""",
        [list(names)],
    )


def record(connection: psycopg.Connection[Any], job: str, outcome: str, age: str) -> None:
    connection.execute(
        """INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,
               enqueued_by, started_at, finished_at, error_class)
           SELECT (random() * 1e12)::bigint, 1, %(job)s, %(outcome)s::queue_worker.outcome, 'default', now(), 'me',
               now() - %(age)s::interval, now() - %(age)s::interval,
               CASE WHEN %(outcome)s <> 'succeeded' THEN 'E' END""",
        {"job": job, "outcome": outcome, "age": age},
    )


def put(connection: psycopg.Connection[Any], queue: str, **columns: str) -> None:
    given = {"queue_name": f"'{queue}'", "task_name": "'a'", **columns}
    connection.execute(
        f"INSERT INTO procrastinate_jobs ({', '.join(given)}) VALUES ({', '.join(given.values())})"
    )


async def test_when_a_job_last_succeeded_and_failed_and_is_due(
    connection: psycopg.Connection[Any], metrics: FleetMetrics
) -> None:
    declare(connection, "fresh", "late", next_due="clock_timestamp() - interval '1 hour'")
    declare(connection, "by_hand")
    record(connection, "fresh", "succeeded", "2 hours")
    record(connection, "fresh", "timed_out", "10 seconds")
    record(connection, "fresh", "skipped", "1 second")
    connection.execute(
        "UPDATE queue_worker.job SET next_due_at = now() + '1 hour' WHERE name = 'fresh'"
    )
    await metrics.refresh()
    found, now = series(metrics), time.time()
    assert found["queue_worker_database_up"] == 1
    assert now - found['job_last_success_timestamp_seconds{job="fresh"}'] == pytest.approx(
        7200, abs=60
    )
    assert now - found['job_last_failure_timestamp_seconds{job="fresh"}'] == pytest.approx(
        10, abs=60
    )
    assert found['job_next_due_timestamp_seconds{job="fresh"}'] - now == pytest.approx(3600, abs=60)
    assert found['job_overdue_seconds{job="fresh"}'] == 0
    assert found['job_overdue_seconds{job="late"}'] == pytest.approx(3600, abs=60)
    assert 'job_last_success_timestamp_seconds{job="late"}' not in found
    assert 'job_overdue_seconds{job="by_hand"}' not in found, "nothing can be overdue by itself"
    assert found['job_running_runs{job="late"}'] == 0


async def test_what_is_due_in_a_queue_and_for_how_long(
    connection: psycopg.Connection[Any], metrics: FleetMetrics
) -> None:
    put(connection, "mixed", priority="5")
    put(connection, "mixed", lock="'l'")
    put(connection, "mixed", scheduled_at="now() - interval '1 minute'", priority="-7")
    put(connection, "mixed", scheduled_at="now() - interval '2 minutes'", lock="'l'")
    put(connection, "mixed", scheduled_at="now() + interval '1 minute'")
    put(connection, "mixed", queue_worker_enqueued_at="now() - interval '1 hour'", priority="-9")
    put(connection, "came due", scheduled_at="now() - interval '10 minutes'")
    put(connection, "came due, locked", scheduled_at="now() - interval '10 minutes'", lock="'l'")
    put(connection, "locked", lock="'l'", queue_worker_enqueued_at="now() - interval '10 minutes'")
    put(connection, "later", scheduled_at="now() + interval '1 minute'")
    put(connection, "done", status="'succeeded'")
    put(connection, "done", status="'doing'", worker_id="procrastinate_register_worker_v1()")
    declare(connection, "a")
    await metrics.refresh()
    found = series(metrics)
    assert found['queue_due_jobs{queue="mixed"}'] == 5
    assert found['queue_oldest_due_age_seconds{queue="mixed"}'] == pytest.approx(3600, abs=60)
    for queue in ("came due", "came due, locked", "locked"):
        assert found[f'queue_due_jobs{{queue="{queue}"}}'] == 1
        age = found[f'queue_oldest_due_age_seconds{{queue="{queue}"}}']
        assert age == pytest.approx(600, abs=60)
    for queue in ("later", "done"):
        assert found[f'queue_due_jobs{{queue="{queue}"}}'] == 0
        assert found[f'queue_oldest_due_age_seconds{{queue="{queue}"}}'] == 0
    assert found['job_running_runs{job="a"}'] == 1
    assert found['queue_worker_fleet_processes{kind="worker"}'] == 0


def tell(connection: psycopg.Connection[Any], sink: str, state: str, ended: str | None) -> None:
    connection.execute(
        """INSERT INTO queue_worker.alert_delivery (message_id, sink, state, ended_at)
           SELECT message_id, %s, %s, now() - %s::interval FROM queue_worker.alert_message""",
        [sink, state, ended],
    )


def write_messages(connection: psycopg.Connection[Any], count: int) -> None:
    connection.execute(
        """INSERT INTO queue_worker.alert (fingerprint, type, subject, summary, first_seen_at,
               last_seen_at, count, untold, recovers_by)
           VALUES ('f', 'JOB_FAILED', 'a', 'failed', now(), now(), 1, 0, 'success')"""
    )
    connection.execute(
        """INSERT INTO queue_worker.alert_message (fingerprint, kind, type, subject, summary,
               first_seen_at, last_seen_at, count, held_back, command)
           SELECT 'f', 'raised', 'JOB_FAILED', 'a', 'failed', now(), now(), 1, 0, ''
           FROM generate_series(1, %s)""",
        [count],
    )


async def test_what_came_of_messages_by_sink_and_state(
    connection: psycopg.Connection[Any], metrics: FleetMetrics
) -> None:
    write_messages(connection, 3)
    tell(connection, "slack", "waiting", None)
    tell(connection, "mail", "given_up", "59 minutes")
    tell(connection, "log", "delivered", "1 minute")
    tell(connection, "old", "delivered", "61 minutes")
    await metrics.refresh()
    found = {name: value for name, value in series(metrics).items() if "deliveries" in name}
    assert found == {
        'alert_deliveries{sink="slack",state="waiting"}': 3,
        'alert_deliveries{sink="mail",state="given_up"}': 3,
        'alert_deliveries{sink="log",state="delivered"}': 3,
    }


async def test_what_retention_has_removed_by_policy(
    connection: psycopg.Connection[Any], metrics: FleetMetrics
) -> None:
    for plan_id, removed in enumerate((5, 7), 1):
        connection.execute(
            """INSERT INTO queue_worker.retention_plan (plan_id, policy_digest)
               OVERRIDING SYSTEM VALUE VALUES (%s, '')""",
            [plan_id],
        )
        connection.execute(
            """INSERT INTO queue_worker.retention_step (plan_id, policy, relation, cutoff, rows,
                   of_rows, bytes, removed)
               VALUES (%(plan)s, 'run_ledger', 'queue_worker.run', now(), 9, 9, 0, %(removed)s),
                   (%(plan)s, 'events', 'queue_worker.run', now(), 9, 9, 0, 0)""",
            {"plan": plan_id, "removed": removed},
        )
    await metrics.refresh()
    found = series(metrics)
    assert found['retention_removed_rows_total{policy="run_ledger"}'] == 12
    assert found['retention_removed_rows_total{policy="events"}'] == 0


async def test_the_database_is_asked_once_in_a_while_however_often_anybody_looks(
    metrics: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await metrics.refresh()
    assert metrics.asked == 1
    monkeypatch.setattr(fleet_metrics, "LONGEST_AGE", 0.0)
    await metrics.refresh()
    assert metrics.asked == 2


async def test_without_a_database_there_are_no_old_answers(
    connection: psycopg.Connection[Any], metrics: FleetMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(connection, "job")
    await metrics.refresh()
    assert 'job_running_runs{job="job"}' in series(metrics)
    monkeypatch.setattr(fleet_metrics, "LONGEST_AGE", 0.0)
    monkeypatch.setattr(metrics, "_dsn", "host=127.0.0.1 port=1 dbname=nowhere")
    await metrics.refresh()
    assert series(metrics) == {"queue_worker_database_up": 0}


@pytest.fixture
def crowded(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A fleet that has finished much, and a job that has only failed since long ago."""
    declare(connection, *(f"job {number}" for number in range(JOBS)))
    connection.execute(
        f"""INSERT INTO procrastinate_jobs (queue_name, task_name, status)
            SELECT 'queue ' || g %% 5, 'job ' || g %% {JOBS}, 'succeeded'
            FROM generate_series(1, %s) AS g""",
        [FINISHED],
    )
    connection.execute(
        f"""INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,
                enqueued_by, started_at, finished_at, error_class)
            SELECT g, 1, 'job ' || g %% {JOBS},
                CASE WHEN g %% {JOBS} = 7 AND g > 1000 THEN 'failed' ELSE 'succeeded' END::queue_worker.outcome,
                'default', now(), 'me', now() + g * interval '1 ms', now() + g * interval '1 ms',
                CASE WHEN g %% {JOBS} = 7 AND g > 1000 THEN 'E' END
            FROM generate_series(1, %s) AS g""",
        [FINISHED],
    )
    connection.execute(
        f"""INSERT INTO queue_worker.tick (job, due_at, state, queue_job_id)
            SELECT 'job ' || g %% {JOBS}, now() - g * interval '1 minute', 'enqueued', g
            FROM generate_series(1, 10 * {JOBS}) AS g""",
        [],
    )
    write_messages(connection, FINISHED // 4)
    tell(connection, "log", "delivered", "2 hours")
    tell(connection, "mail", "given_up", "2 hours")
    return connection


def test_no_statement_is_slow_or_reads_what_has_finished(
    crowded: psycopg.Connection[Any],
) -> None:
    """In the time a test has, 200,000 rows stand for ten million: what is read must not grow with them."""
    crowded.execute("SET jit = off")  # as every session of ours; no statistics were gathered
    for reading in READINGS:
        text = statement(reading.statement)
        plans = [_explain(crowded, text) for _ in range(3)]
        assert min(plan["Execution Time"] for plan in plans) < MOST_MS, reading.statement
        root = plans[0]["Plan"]
        assert root["Shared Hit Blocks"] + root["Shared Read Blocks"] < 40 * JOBS, reading.statement


def _explain(connection: psycopg.Connection[Any], text: Any) -> dict[str, Any]:
    row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}").fetchone()
    assert row is not None
    plan: dict[str, Any] = (json.loads(row[0]) if isinstance(row[0], str) else row[0])[0]
    return plan
