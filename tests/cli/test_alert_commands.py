"""What an operator, and a probe, hear of alerts on the command line."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.support.alerts import record, tend
from tests.support.eventually import eventually
from tests.support.faults import kill
from tests.support.processes import call, environment, worker_process


def test_open_alerts_are_listed(command: Command, database: str, connection: Any) -> None:
    assert "nothing" in command("alerts", DATABASE_URL=database).out
    run_id = record(connection, "a", error_message="a\x1b[31m[red]\nsecond line")
    tend(connection)
    answer = command("alerts", DATABASE_URL=database)
    assert answer.code == 0
    assert f"queue-worker show {run_id}" in answer.out
    assert "\x1b" not in answer.out
    (row,) = json.loads(command("alerts", "--json", DATABASE_URL=database).out)
    assert (row["type"], row["subject"], row["count"]) == ("JOB_FAILED", "a", 1)


def test_an_overdue_job_is_named_and_makes_the_check_fail(
    command: Command, database: str, connection: Any
) -> None:
    assert command("check", "--overdue", DATABASE_URL=database).code == 0
    connection.execute(
        "INSERT INTO queue_worker.job (name, description, schedule, queue, priority, timeout, max_attempts,"
        " restartable, owner, runbook, registry_digest, next_due_at) VALUES ('late', '', 'every 0:01:00',"
        " 'default', 0, '1 s', 1, false, 'ada', '', 'x', now() - interval '1 min')"
    )
    answer = command("check", "--overdue", DATABASE_URL=database)
    assert answer.code == 1
    assert "late" in answer.out
    (row,) = json.loads(command("check", "--overdue", "--json", DATABASE_URL=database).out)
    assert row["job"] == "late"


@pytest.mark.slow
def test_with_all_workers_dead_the_check_names_their_jobs_within_an_interval(
    database: str, tmp_path: Path
) -> None:
    """A job that is due every second; the patience of the check is ten seconds."""
    env = environment(
        database, TEST_NOTES=str(tmp_path / "notes"), QUEUE_WORKER_APP="tests.support.jobs:registry"
    )
    with worker_process(env) as first, worker_process(env) as second:
        eventually((tmp_path / "notes").exists)
        assert call(env, "check", "--overdue").returncode == 0
        kill(first)
        kill(second)
    dead = time.monotonic()
    answer = eventually(lambda: (a := call(env, "check", "--overdue")).returncode and a, within=40)
    assert answer.returncode == 1
    assert "ticker" in answer.stdout
    assert time.monotonic() - dead < 25


def test_a_worker_with_a_malformed_sink_does_not_start(ready: Command) -> None:
    answer = ready("worker", QUEUE_WORKER_ALERT_SINKS="log: https://user:pa55@host/")
    answer.assert_one_error(78, "QUEUE_WORKER_ALERT_SINKS", "URL number 2", "webhook+https://")
    assert "pa55" not in answer.err
