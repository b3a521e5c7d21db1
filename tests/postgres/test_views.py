"""What a DBA sees in psql."""

from __future__ import annotations

from typing import Any

import pytest


def put(connection: Any, task: str = "job", **columns: Any) -> int:
    row = {"task_name": task, "queue_name": "default", **columns}
    marks = ", ".join(f"%({name})s" for name in row)
    found = connection.execute(
        f"INSERT INTO procrastinate_jobs ({', '.join(row)}) VALUES ({marks}) RETURNING id", row
    ).fetchone()
    return int(found[0])


@pytest.mark.fault("P12")
def test_blocked_says_what_waits_for_which_lock_and_why(connection: Any) -> None:
    runs = put(connection, "runs", lock="L", status="doing")
    waits = put(connection, "waits", lock="L")
    first = put(connection, "first", lock="M")
    second = put(connection, "second", lock="M")
    put(connection, "later", lock="M", scheduled_at="2999-01-01")
    put(connection, "free")
    rows = connection.execute(
        "SELECT queue_job_id, blocked_by_queue_job_id, because FROM queue_worker.blocked ORDER BY 1"
    ).fetchall()
    assert rows == [
        (waits, runs, "it runs"),
        (second, first, "it waits first, and no worker has declared this job"),
    ]


@pytest.mark.fault("P21")
@pytest.mark.parametrize("abort", [True, False])
def test_a_job_that_is_cancelled_while_it_waits_has_its_outcome(
    connection: Any, abort: bool
) -> None:
    """Cancelled with procrastinate's own function: no worker ever sees it."""
    queue_job_id = put(connection)
    connection.execute("SELECT procrastinate_cancel_job_v1(%s, %s, false)", [queue_job_id, abort])
    assert connection.execute(
        "SELECT run_id, outcome, error_class FROM queue_worker.run"
    ).fetchall() == [(f"{queue_job_id}.1", "cancelled", "CancelledInQueue")]
