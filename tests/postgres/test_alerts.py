"""From what went wrong to what is told: one message a window, every count exact."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from queue_worker.database import connect
from tests.support.alerts import end_windows, look, messages, record, tend
from tests.support.pages import anchors_of
from tests.support.processes import REPOSITORY

INCIDENTS = REPOSITORY / "docs" / "INCIDENTS.md"


@pytest.mark.parametrize("outcome", ["failed", "timed_out", "lost"])
def test_a_run_that_failed_for_good_is_told_with_all_that_one_needs(
    connection: Any, outcome: str
) -> None:
    connection.execute(
        "INSERT INTO queue_worker.job (name, description, schedule, queue, priority, timeout,"
        " max_attempts, restartable, owner, runbook, registry_digest) VALUES"
        " ('a', '', 'manual', 'default', 0, '1 s', 1, false, 'ada', 'docs/a.md', 'x')"
    )
    run_id = record(connection, "a", outcome, attempt=3)
    assert tend(connection) == 1
    assert connection.execute(
        "SELECT type, job, summary, owner, runbook, command FROM queue_worker.alert_message"
    ).fetchall() == [
        (
            "JOB_FAILED", "a", f"{outcome} in attempt 3, ValueError: boom", "ada", "docs/a.md",
            f"queue-worker show {run_id}",
        )
    ]  # fmt: skip
    assert connection.execute(
        "SELECT sink, state, tries FROM queue_worker.alert_delivery"
    ).fetchall() == [("log", "waiting", 0)]
    assert connection.execute(
        "SELECT task_name FROM procrastinate_jobs WHERE status = 'todo'"
    ).fetchall() == [("queue_worker.deliver_alerts",)]


def test_what_has_no_runbook_leads_to_its_section_of_the_page_for_incidents(
    connection: Any,
) -> None:
    anchors = anchors_of(INCIDENTS)
    found = connection.execute(
        "SELECT type, storm, queue_worker.alert_runbook(type, storm)"
        "  FROM unnest(enum_range(NULL::queue_worker.alert_type)) AS type, unnest('{f,t}'::bool[]) AS storm"
    ).fetchall()
    assert len(found) > 10
    for kind, is_storm, runbook in found:
        page, _, anchor = runbook.partition("#")
        assert (page, anchor in anchors) == ("docs/INCIDENTS.md", True), (kind, is_storm)

    for number in range(11):
        record(connection, f"job_{number}")
    tend(connection)
    assert connection.execute(
        "SELECT fingerprint, runbook FROM queue_worker.alert_message"
        " UNION SELECT fingerprint, runbook FROM queue_worker.alerts_open ORDER BY 1 LIMIT 2"
    ).fetchall() == [
        ("JOB_FAILED:*", "docs/INCIDENTS.md#alerts-storm"),
        ("JOB_FAILED:job_0", "docs/INCIDENTS.md#a-job-failed"),
    ]


@pytest.mark.parametrize(
    "run",
    [
        {"outcome": "cancelled"},
        {"outcome": "skipped"},
        {"outcome": "succeeded"},
        {"retry_at": "2999-01-01"},
        {"job": "queue_worker.deliver_alerts"},
    ],
    ids=["cancelled", "skipped", "succeeded", "tried again", "the delivery itself"],
)
def test_nothing_else_is_told(connection: Any, run: dict[str, Any]) -> None:
    record(connection, **{"job": "a", **run})
    assert tend(connection) == 0
    assert messages(connection) == []


def test_what_is_rolled_back_is_not_told(connection: Any) -> None:
    with connection.transaction(force_rollback=True):
        record(connection, "a")
    assert tend(connection) == 0


def test_one_message_a_window_and_the_next_says_how_many_were_held_back(connection: Any) -> None:
    for _ in range(3):
        record(connection, "a")
    tend(connection)
    for _ in range(7):
        record(connection, "a")
        assert tend(connection) == 0
    end_windows(connection)
    assert tend(connection) == 1  # by itself: nobody has to wait for an eighth
    record(connection, "a")
    end_windows(connection)
    tend(connection)
    assert messages(connection) == [
        ("raised", "JOB_FAILED:a", 3, 0),
        ("raised", "JOB_FAILED:a", 10, 7),
        ("raised", "JOB_FAILED:a", 11, 0),
    ]


def test_a_recovery_is_told_once(connection: Any) -> None:
    record(connection, "a")
    tend(connection)
    record(connection, "b", "succeeded")
    assert tend(connection) == 0
    record(connection, "a", "succeeded")
    record(connection, "a", "succeeded")
    assert tend(connection) == 1
    assert tend(connection) == 0
    assert messages(connection) == [
        ("raised", "JOB_FAILED:a", 1, 0),
        ("resolved", "JOB_FAILED:a", 1, 0),
    ]


def test_what_failed_and_recovered_at_once_is_told_all_the_same(connection: Any) -> None:
    record(connection, "a")
    record(connection, "a", "succeeded")
    assert tend(connection) == 2
    assert [kind for kind, *_ in messages(connection)] == ["raised", "resolved"]


def test_a_job_that_fails_now_and_then_is_told_once_a_window_and_nothing_is_forgotten(
    connection: Any,
) -> None:
    for _ in range(5):
        record(connection, "a")
        tend(connection)
        record(connection, "a", "succeeded")
        tend(connection)
    end_windows(connection)
    tend(connection)
    assert messages(connection) == [
        ("raised", "JOB_FAILED:a", 1, 0),
        ("resolved", "JOB_FAILED:a", 1, 0),
        ("raised", "JOB_FAILED:a", 1, 4),
        ("resolved", "JOB_FAILED:a", 1, 0),
    ]


def test_a_storm_across_many_jobs_is_one_summary(connection: Any) -> None:
    for number in range(3):
        record(connection, f"early{number}")
    tend(connection, storm=5)
    for number in range(40):
        record(connection, f"job{number:02}")
    assert tend(connection, storm=5) == 1
    for number in range(40):
        record(connection, f"job{number:02}")
        record(connection, f"late{number:02}")
    assert tend(connection, storm=5) == 0
    end_windows(connection)
    assert tend(connection, storm=5) == 1
    told = messages(connection)
    names = [fingerprint.removeprefix("JOB_FAILED:") for _, fingerprint, *_ in told]
    assert sorted(names[:3]) == ["early0", "early1", "early2"]
    assert names[3:] == ["*", "*"]
    assert told[3][2:] == (40, 0)
    assert told[4][2:] == (120, 80)
    subject, summary = connection.execute(
        "SELECT subject, summary FROM queue_worker.alert_message ORDER BY at DESC LIMIT 1"
    ).fetchone()
    assert subject == "80 at once"
    assert summary.endswith("job08, job09 and 70 more")


def test_a_storm_is_over_when_all_that_it_sums_up_is(connection: Any) -> None:
    for number in range(8):
        record(connection, f"job{number}")
    tend(connection, storm=5)
    for number in range(8):
        assert tend(connection, storm=5) == 0
        record(connection, f"job{number}", "succeeded")
    assert tend(connection, storm=5) == 1
    assert [kind for kind, *_ in messages(connection)] == ["raised", "resolved"]


def test_counts_are_exact_whoever_closes_and_whoever_folds(database: str) -> None:
    """Many sessions write failures while two others fold them; nobody waits for anybody."""
    stop = threading.Event()
    failures = []

    def fail(job: str) -> None:
        with connect(database, name="test") as connection:
            for _ in range(200):
                record(connection, job)

    def fold() -> None:
        with connect(database, name="test") as connection:
            while not stop.is_set():
                try:
                    tend(connection, window=0.05, storm=1000)
                except psycopg.Error as error:
                    failures.append(error)

    writers = [threading.Thread(target=fail, args=[f"job{n % 2}"]) for n in range(4)]
    folders = [threading.Thread(target=fold) for _ in range(2)]
    for thread in (*writers, *folders):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in folders:
        thread.join()
    assert failures == []
    with connect(database, name="test") as connection:
        end_windows(connection)
        tend(connection, window=0.05, storm=1000)
        assert connection.execute(
            "SELECT fingerprint, max(count), count(*) < 400 FROM queue_worker.alert_message GROUP BY 1 ORDER BY 1"
        ).fetchall() == [("JOB_FAILED:job0", 400, True), ("JOB_FAILED:job1", 400, True)]


def test_only_one_session_tends_at_a_time_and_nobody_waits(database: str, connection: Any) -> None:
    record(connection, "a")
    with connect(database, name="test") as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('queue_worker.alerts', 0))")
        connection.execute("SET statement_timeout = '2s'")
        assert tend(connection) == 0
        assert look(connection) == 0
    assert tend(connection) == 1


def test_an_event_that_is_not_committed_holds_nobody_up(database: str, connection: Any) -> None:
    connection.execute("SET lock_timeout = '1s'")
    with connect(database, name="test") as other, other.transaction():
        record(other, "a")
        record(connection, "a")
        assert tend(connection) == 1
    assert tend(connection) == 0
    end_windows(connection)
    assert tend(connection) == 1
    assert messages(connection)[-1] == ("raised", "JOB_FAILED:a", 2, 1)


def test_missed_ticks_are_told_and_resolved_by_the_next_success(connection: Any) -> None:
    connection.execute(
        "INSERT INTO queue_worker.tick (job, due_at, state, reason) SELECT 'a', at, 'missed', 'nobody'"
        " FROM generate_series('2026-01-01'::timestamptz, '2026-01-01 00:09', '1 min') AS at"
    )
    tend(connection)
    record(connection, "a", "succeeded")
    tend(connection)
    assert messages(connection) == [
        ("raised", "JOB_MISSED:a", 10, 0),
        ("resolved", "JOB_MISSED:a", 10, 0),
    ]
    (summary,) = connection.execute("SELECT summary FROM queue_worker.alert").fetchone()
    assert summary == "10 ticks with no run, the last was due at 2026-01-01 00:09:00 UTC: nobody"


def test_a_validation_that_failed_is_an_invalid_environment(connection: Any) -> None:
    record(connection, "queue_worker.validation", error_class="EnvironmentInvalid")
    tend(connection)
    assert messages(connection)[0][1] == "ENVIRONMENT_INVALID:queue_worker.validation"


def test_anybody_can_raise_and_resolve(connection: Any) -> None:
    for _ in range(2):
        (fingerprint,) = connection.execute(
            "SELECT queue_worker.raise_alert('ENVIRONMENT_INVALID', 'clock', 'it is 4 s off')"
        ).fetchone()
    tend(connection)
    record(connection, "clock", "succeeded")
    assert tend(connection) == 0
    for expected in (True, False):
        assert connection.execute(
            "SELECT queue_worker.resolve_alert(%s)", [fingerprint]
        ).fetchone() == (expected,)
    tend(connection)
    assert messages(connection) == [
        ("raised", "ENVIRONMENT_INVALID:clock", 2, 0),
        ("resolved", "ENVIRONMENT_INVALID:clock", 2, 0),
    ]


def test_open_alerts_stand_in_a_view(connection: Any) -> None:
    record(connection, "a")
    record(connection, "b")
    tend(connection)
    record(connection, "b", "succeeded")
    tend(connection)
    assert connection.execute(
        "SELECT type, subject, count, untold, waiting_deliveries, undelivered FROM queue_worker.alerts_open"
    ).fetchall() == [("JOB_FAILED", "a", 1, 0, 1, 0)]
