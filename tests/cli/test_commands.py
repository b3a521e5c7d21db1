"""What each command does and prints when all is well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker.governance.checks import CHECKS
from tests.cli.conftest import Command, contents
from tests.support import processes
from tests.support.eventually import eventually
from tests.support.processes import JOBS, REPOSITORY, call, environment, worker_process

Connection = psycopg.Connection[Any]


def from_json(text: str) -> Any:
    """Without a terminal, JSON is one line."""
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return json.loads(text)


@pytest.fixture
def env(database: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "notes").touch()
    return environment(database, TEST_NOTES=str(tmp_path / "notes"), QUEUE_WORKER_LOG_LEVEL="error")


@pytest.fixture
def on_database(ready: Command, database: str) -> Command:
    return lambda *line, **extra: ready(*line, **{"DATABASE_URL": database, **extra})


def test_migrate_plans_checks_applies_and_does_nothing_twice(
    ready: Command, empty_database: str
) -> None:
    def migrate(*options: str) -> Any:
        return ready("migrate", *options, DATABASE_URL=empty_database)

    before = contents(empty_database)
    assert migrate("--check").code == 78
    plan = migrate("--plan")
    assert plan.code == 0
    assert "migrations/0001_queue_worker.sql" in plan.out
    planned = [file["name"] for file in from_json(migrate("--plan", "--json").out)]
    assert contents(empty_database) == before

    applied = from_json(migrate("--json").out)
    assert [file["name"] for file in applied] == planned
    assert all(len(file["checksum"]) == 64 for file in applied)
    after = contents(empty_database)
    again = migrate()
    assert (again.code, again.out) == (0, "The database is at the level of this version.\n")
    assert from_json(migrate("--json").out) == []
    assert migrate("--check").code == 0
    assert contents(empty_database) == after


def test_migrate_names_each_file_that_it_applies(ready: Command, empty_database: str) -> None:
    answer = ready("migrate", DATABASE_URL=empty_database)
    assert answer.code == 0
    assert "applied   migrations/0001_queue_worker.sql\n" in answer.out


def test_check_tells_of_each_part(ready: Command) -> None:
    answer = ready("check")
    assert answer.code == 0
    names = ["settings", "registry", "database", *(check.name for check in CHECKS)]
    labels = dict.fromkeys(names, "ok") | {"surplus_privileges": "warning"}
    assert [tuple(line.split()[:2][::-1]) for line in answer.out.splitlines()] == [*labels.items()]
    found = from_json(ready("check", "--json").out)
    assert [part["name"] for part in found if part["ok"]] == [
        name for name in names if labels[name] == "ok"
    ]
    assert ready("check", "--strict").code == 78


def test_check_exits_with_what_the_worst_part_would(ready: Command, empty_database: str) -> None:
    pending = ready("check", DATABASE_URL=empty_database)
    assert pending.code == 78
    assert "Run `queue-worker migrate`" in pending.out
    found = from_json(ready("--app", "x:y", "check", "--json").out)
    assert [part["name"] for part in found if part["exit_code"]] == ["registry"]
    assert ready("check", DATABASE_URL="postgresql://127.0.0.1:1/x").code == 69


def test_jobs_lists_what_the_registry_declares(ready: Command) -> None:
    listed = {job["name"]: job for job in from_json(ready("jobs", "--json").out)}
    assert listed["locked"]["lock_key"] == "the-lock"
    assert listed["boom_again"]["attempts"] == 3
    assert listed["plain"]["kind"] == "def, in a child process"
    assert listed["slow"]["timeout"] == 0.3
    table = ready("jobs").out
    assert all(name in table for name in listed)


def test_the_app_option_wins_over_the_environment(ready: Command) -> None:
    first_party = "queue_worker.jobs:registry"
    listed = from_json(ready("--app", first_party, "jobs", "--json").out)
    assert {job["name"] for job in listed} >= {"analytics_aggregator", "retry_executor"}
    assert "noop" in ready("jobs").out


def test_a_registry_takes_in_the_first_party_jobs_with_one_line(
    ready: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_jobs.py").write_text(
        "from datetime import timedelta\n"
        "from queue_worker import JobContext, JobRegistry\n"
        "from queue_worker.jobs import first_party\n"
        "registry = JobRegistry()\n"
        "registry.include(first_party)\n"
        "@registry.job('send_invoice', timeout=timedelta(seconds=10))\n"
        "async def send_invoice(ctx: JobContext) -> None: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = {
        job["name"] for job in from_json(ready("--app", "shop_jobs:registry", "jobs", "--json").out)
    }
    assert names >= {"send_invoice", "analytics_aggregator", "signal_generator", "insight_engine"}


def test_enqueue_writes_one_job(on_database: Command, connection: Connection) -> None:
    answer = from_json(
        on_database(
            "enqueue", "nap", "--args", '{"name": "x"}', "--delay", "3600", "--priority", "7",
            "--lock-key", "k", "--queueing-lock", "q", "--json",
        ).out
    )  # fmt: skip
    row = connection.execute(
        "SELECT id, args ->> 'name', priority, lock, queueing_lock, "
        "scheduled_at - now() BETWEEN '59 minutes' AND '1 hour' FROM procrastinate_jobs"
    ).fetchone()
    assert row == (answer["queue_job_id"], "x", 7, "k", "q", True)
    again = on_database("enqueue", "nap", "--queueing-lock", "q")
    assert again.code == 0
    assert "still waits" in again.out
    refused = from_json(on_database("enqueue", "nap", "--queueing-lock", "q", "--json").out)
    assert refused == {"queue_job_id": answer["queue_job_id"], "enqueued": False}
    assert on_database("enqueue", "noop").out.startswith("Enqueued job noop as ")


def test_arguments_may_come_from_standard_input(
    env: dict[str, str], connection: Connection
) -> None:
    """A command line takes no more than 128 kB."""
    given = json.dumps({"name": "x" * 500_000})
    done = subprocess.run(
        processes.command("enqueue", "nap", "--args", "-"), env=env, cwd=REPOSITORY, input=given, text=True, check=False,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    row = connection.execute("SELECT length(args ->> 'name') FROM procrastinate_jobs").fetchone()
    assert row == (500_000,)


def test_run_enqueues_and_returns(on_database: Command, connection: Connection) -> None:
    assert on_database("run", "noop").out.startswith("Enqueued as ")
    number = from_json(on_database("run", "noop", "--json").out)["queue_job_id"]
    assert connection.execute(
        "SELECT status FROM procrastinate_jobs WHERE id = %s", [number]
    ).fetchone() == ("todo",)


def test_run_wait_ends_with_the_outcome_of_the_run(
    env: dict[str, str], on_database: Command
) -> None:
    with worker_process({**env, "QUEUE_WORKER_LOG_LEVEL": "info"}) as worker:
        done = on_database("run", "noop", "--wait")
        assert done.code == 0
        assert done.out.startswith("Run 1.1 succeeded after ")

        failed = on_database("run", "boom", "--wait")
        assert failed.code == 1
        assert "  ValueError: it went boom\n" in failed.out

        retried = on_database("run", "boom_again", "--wait", "--json")
        state = from_json(retried.out)
        assert (retried.code, state["run_id"], state["outcome"]) == (1, "3.3", "failed")

        assert on_database("run", "slow", "--wait").code == 1
        assert worker.stop() == 0

    runs = from_json(on_database("runs", "--json").out)
    assert [run["job"] for run in runs] == ["slow", *["boom_again"] * 3, "boom", "noop"]
    assert {run["run_id"] for run in from_json(on_database("runs", "--job", "boom_again", "--json").out)} == {
        "3.1", "3.2", "3.3",
    }  # fmt: skip
    timed_out = from_json(on_database("runs", "--outcome", "timed_out", "--json").out)
    assert [run["job"] for run in timed_out] == ["slow"]
    assert len(from_json(on_database("runs", "--limit", "2", "--json").out)) == 2
    assert "it went boom" in on_database("runs", "--job", "boom").out
    assert "nothing" in on_database("runs", "--job", "nap").out


def test_run_wait_of_a_dry_run_succeeds(env: dict[str, str], on_database: Command) -> None:
    with worker_process({**env, "QUEUE_WORKER_LOG_LEVEL": "info", "JOB_DRY_RUN": "1"}):
        answer = on_database("run", "boom", "--wait")
    assert answer.code == 0
    assert "dry_run" in answer.out


def test_run_inline_ends_with_the_outcome_of_the_run(
    env: dict[str, str], connection: Connection
) -> None:
    done = call(env, "run", "nap", "--inline", "--args", '{"name": "here"}', "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert from_json(done.stdout)["outcome"] == "succeeded"
    assert "start here" in Path(env["TEST_NOTES"]).read_text()

    failed = call(env, "run", "boom", "--inline")
    assert failed.returncode == 1
    assert "ValueError: it went boom" in failed.stdout

    connection.execute("SELECT pg_advisory_lock(hashtextextended('queue_worker.lock.the-lock', 0))")
    skipped = call(env, "run", "locked", "--inline", "--json")
    assert skipped.returncode == 75
    assert from_json(skipped.stdout)["outcome"] == "skipped"


def test_a_dry_run_inline_is_recorded_and_calls_nothing(
    env: dict[str, str], connection: Connection
) -> None:
    done = call({**env, "JOB_DRY_RUN": "1"}, "run", "nap", "--inline", "--json")
    assert done.returncode == 0
    assert from_json(done.stdout)["outcome"] == "dry_run"
    assert Path(env["TEST_NOTES"]).read_text() == ""
    assert connection.execute("SELECT job, outcome, dry_run FROM queue_worker.run").fetchall() == [
        ("nap", "dry_run", True)
    ]


def test_status_shows_workers_queues_and_what_runs(
    env: dict[str, str], on_database: Command
) -> None:
    with worker_process({**env, "QUEUE_WORKER_LOG_LEVEL": "info"}, "--concurrency", "1") as worker:
        on_database("run", "nap", "--args", '{"seconds": 8}')
        on_database("run", "noop")
        eventually(lambda: "start" in Path(env["TEST_NOTES"]).read_text())
        status = from_json(on_database("status", "--json").out)
        assert [w["pid"] for w in status["workers"]] == [worker.process.pid]
        assert [run["job"] for run in status["running"]] == ["nap"]
        assert [(q["queue"], q["due"]) for q in status["queues"]] == [("default", 1)]
        assert {job["job"] for job in status["jobs"]} >= {"nap", "noop"}
        table = on_database("status")
        assert table.code == 0
        for title in ("Workers", "Queues", "Running", "Jobs"):
            assert title in table.out
        worker.process.kill()


@pytest.fixture
def waiting(env: dict[str, str], connection: Connection) -> Iterator[subprocess.Popen[str]]:
    """A command that waits for a job that nobody serves."""
    process = subprocess.Popen(
        processes.command("run", "noop", "--wait"), env=env, cwd=REPOSITORY, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # as in a terminal, also where the tests were started in the background, which ignores it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  one call of the kernel
    )  # fmt: skip
    eventually(lambda: connection.execute("SELECT 1 FROM procrastinate_jobs").fetchone())
    yield process
    process.kill()
    process.communicate()


def test_ctrl_c_ends_the_waiting_and_not_the_job(
    waiting: subprocess.Popen[str], connection: Connection
) -> None:
    follows = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '-- Where a queued job stands%' AND datname = current_database()"
    eventually(lambda: connection.execute(follows).fetchone())
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=10)
    assert (waiting.returncode, out) == (130, "")
    assert "Job 1 goes on" in err
    assert "Traceback" not in err
    assert connection.execute("SELECT status FROM procrastinate_jobs").fetchone() == ("todo",)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_closed_pipe_ends_the_command_without_a_word(
    env: dict[str, str], connection: Connection, options: list[str]
) -> None:
    connection.execute(
        """
        INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at, enqueued_by, started_at, finished_at)
        SELECT n, 1, 'noop', 'succeeded', 'default', now(), 'me', now(), now() FROM generate_series(1, 2000) AS n
        """
    )
    reading, writing = os.pipe()
    process = subprocess.Popen(
        processes.command("runs", "--limit", "2000", *options),
        env=env,
        cwd=REPOSITORY,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    _, err = process.communicate(timeout=20)
    assert err == b""


def test_what_a_job_says_cannot_steer_the_terminal(
    on_database: Command, connection: Connection
) -> None:
    connection.execute(
        """
        INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at, enqueued_by, started_at, finished_at, error_class, error_message)
        VALUES (1, 1, 'noop', 'failed', 'default', now(), 'me', now(), now(), 'E', E'\\x1b[2J[red]gone[/red]')
        """
    )
    table = on_database("runs").out
    assert "\x1b" not in table
    assert "[red]gone" in table


HELP = [
    [],
    *(
        [name]
        for name in [
            "migrate",
            "check",
            "worker",
            "jobs",
            "enqueue",
            "run",
            "runs",
            "failures",
            "show",
            "status",
            "timeline",
            "top",
            "demo",
        ]
    ),
]


@pytest.mark.parametrize("line", HELP, ids=lambda line: "-".join(line) or "itself")
def test_help_fits_eighty_columns(command: Command, line: list[str]) -> None:
    answer = command(*line, "--help", COLUMNS="80")
    assert answer.code == 0
    assert answer.err == ""
    lines = answer.out.splitlines()
    assert max(map(len, lines)) <= 80
    options = [text for text in lines if text.startswith("│") and " --" in text]
    assert options
    assert all(len(text.split("--")[1].split()) > 2 for text in options), (
        "an option without its help beside it"
    )


def test_without_a_command_it_shows_its_help(command: Command) -> None:
    answer = command()
    assert answer.code in {0, 2}
    assert "Usage: " in answer.out + answer.err


def test_the_module_is_the_command_too(env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "queue_worker", "jobs", "--json"], env={**env, "QUEUE_WORKER_APP": JOBS},
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "noop" in done.stdout
