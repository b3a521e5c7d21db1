"""The commands that only read: one run in whole, what failed, for whom, and for how long."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from queue_worker.cli import invocation, timeline
from queue_worker.cli.invocation import readable_database
from queue_worker.settings import load_settings
from tests.cli.conftest import Command
from tests.support.ledger import add_job, add_run, add_worker, enqueue
from tests.support.processes import call, environment
from tests.support.roles import as_login

Connection = psycopg.Connection[Any]
READING = {
    "runs": ["runs"],
    "failures": ["failures"],
    "show": ["show", "1.1"],
    "status": ["status"],
    "top": ["top", "--once"],
    "timeline": ["timeline", "--output", "-"],
}


@pytest.fixture
def on_database(ready: Command, database: str) -> Command:
    return lambda *line, **extra: ready(*line, **{"DATABASE_URL": database, **extra})


def show(on_database: Command, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on_database("show", run, "--json").out)
    return found


def test_show_tells_all_of_a_run(on_database: Command, connection: Connection) -> None:
    add_worker(connection, 7)
    add_run(
        connection, 12, outcome="timed_out", worker_id=7, lock_key="the-key", enqueued_by="ada",
        enqueued_at="90 s", started_at="60 s", finished_at="58.5 s", error_class="JobTimeout",
        error_message="the deadline passed", traceback="Traceback:\n  somewhere\nJobTimeout",
    )  # fmt: skip
    found = show(on_database, "12.1")
    assert (found["state"], found["outcome"], found["job"]) == ("ended", "timed_out", "noop")
    assert (found["waited_ms"], found["duration_ms"]) == (30_000, 1_500)
    assert (found["worker_id"], found["host"], found["pid"]) == (7, "web-1", 4711)
    assert (found["attempt"], found["lock_key"], found["enqueued_by"]) == (1, "the-key", "ada")
    assert (found["due_at"], found["dry_run"]) == (None, False)
    page = on_database("show", "12.1").out
    for words in (
        "Run 12.1 of job noop", "timed_out", "JobTimeout: the deadline passed", "30.000 s", "1.500 s",
        "7 on web-1, pid 4711", "the-key", "ada", "  somewhere\n",
    ):  # fmt: skip
        assert words in page


@pytest.mark.parametrize(
    ("columns", "waited"),
    [({"retry_at": "75 s"}, 10_000), ({}, 15_000)],
    ids=["a retry", "given back to the queue at once"],
)
def test_an_attempt_waits_from_when_it_was_to_be_run_again(
    on_database: Command, connection: Connection, columns: Any, waited: int
) -> None:
    with connection.transaction():  # in which it is the same now
        add_run(
            connection, 3, outcome="failed", enqueued_at="100 s", started_at="90 s",
            finished_at="80 s", **columns,
        )  # fmt: skip
        add_run(
            connection, 3, attempt=2, enqueued_at="100 s", started_at="65 s", finished_at="60 s"
        )
    assert show(on_database, "3.2")["waited_ms"] == waited


def test_show_names_the_other_attempts(on_database: Command, connection: Connection) -> None:
    for attempt in (1, 2):
        add_run(connection, 3, attempt=attempt, outcome="failed")
    add_run(connection, 3, attempt=3)
    assert show(on_database, "3")["run_id"] == "3.3"
    assert [run["run_id"] for run in show(on_database, "3.1")["attempts"]] == ["3.1", "3.2", "3.3"]
    page = on_database("show", "3.1").out
    assert page.index("Other attempts") < page.index("3.2") < page.index("3.3")


@pytest.mark.parametrize(
    ("columns", "state", "because"),
    [
        ({}, "waiting", "no living worker serves its queue"),
        ({"scheduled_at": "-1 hour"}, "waiting", "its time has not come"),
        ({"status": "doing", "queue_worker_claimed_at": "3 s"}, "running", None),
    ],
)
def test_show_of_a_run_that_has_not_ended_says_so(
    on_database: Command, connection: Connection, columns: Any, state: str, because: str | None
) -> None:
    assert enqueue(connection, **columns) == 1
    for run in ("1", "1.1"):
        found = show(on_database, run)
        assert (found["run_id"], found["state"], found["because"]) == ("1.1", state, because)
        assert found["attempts"] == []
    page = on_database("show", "1")
    assert page.code == 0
    assert (because or state) in page.out


def test_show_says_who_holds_the_lock_key(on_database: Command, connection: Connection) -> None:
    add_worker(connection)
    holder = enqueue(connection, "other", lock="k", status="doing", attempts=1)
    waiting = enqueue(connection, lock="k")
    because = show(on_database, str(waiting))["because"]
    assert because == f"run {holder}.2 of job other holds its lock key"


def test_show_of_a_job_that_waits_for_its_next_attempt(
    on_database: Command, connection: Connection
) -> None:
    enqueue(connection, attempts=1)
    add_run(connection, 1, outcome="failed", retry_at="-1 hour")
    assert show(on_database, "1")["run_id"] == "1.2"
    assert show(on_database, "1.2")["state"] == "waiting"
    assert show(on_database, "1.1")["state"] == "ended"


def test_show_of_what_a_plain_procrastinate_worker_has_done(
    on_database: Command, connection: Connection
) -> None:
    enqueue(connection, status="succeeded", attempts=1)
    found = show(on_database, "1")
    assert (found["state"], found["because"]) == ("unrecorded", "it is succeeded")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("9.1", "'9.1' is neither in the ledger nor in the queue. `queue-worker runs` lists"),
        ("9", "neither in the ledger nor in the queue"),
        ("1.7", "'1.7' does not exist. The attempts of this queued job are: 1, 2."),
        ("x", "'x' is no id of a run. Give one such as 12.1, or 12 for the queued job."),
        ("1.0", "no id of a run"),
        ("01", "no id of a run"),
        ("9" * 40, "no id of a run"),
        ("\u0663.\u0661", "no id of a run"),
        ("1.1; DROP", "no id of a run"),
        ("", "no id of a run"),
        ("999999999999999999.999999999", "neither in the ledger nor in the queue"),
    ],
)
def test_an_unknown_run_is_one_clear_error(
    on_database: Command, connection: Connection, run: str, words: str
) -> None:
    enqueue(connection, attempts=1)
    add_run(connection, 1, outcome="failed")
    on_database("show", run).assert_one_error(66, words)


def test_failures_are_those_of_the_last_day_and_only_those(
    on_database: Command, connection: Connection
) -> None:
    for number, outcome in enumerate(
        ("failed", "timed_out", "lost", "succeeded", "cancelled", "skipped", "dry_run"), 1
    ):
        add_run(connection, number, outcome=outcome, job=f"job_{outcome}", finished_at=f"-{number} s")  # fmt: skip
    add_run(connection, 8, outcome="failed", started_at="25 h", finished_at="25 h")

    def failures(*options: str) -> list[str]:
        return [run["run_id"] for run in json.loads(on_database("failures", *options, "--json").out)]  # fmt: skip

    assert failures() == ["3.1", "2.1", "1.1"]
    assert failures("--hours", "26") == ["3.1", "2.1", "1.1", "8.1"]
    assert failures("--job", "job_lost") == ["3.1"]
    assert failures("--limit", "1") == ["3.1"]
    table = on_database("failures").out
    assert "ValueError: no good" in table
    assert "timed_out" in table


def test_runs_of_all_jobs_come_by_time(on_database: Command, connection: Connection) -> None:
    for number in range(1, 31):
        add_run(connection, number, job=f"job_{number % 3}", started_at="1 h", finished_at=f"{number} s")  # fmt: skip
    found = json.loads(on_database("runs", "--limit", "10", "--json").out)
    assert [run["run_id"] for run in found] == [f"{n}.1" for n in range(1, 11)]


@pytest.mark.parametrize("line", READING.values(), ids=READING)
def test_a_role_that_only_reads_is_enough(
    on_database: Command, connection: Connection, database: str, line: list[str]
) -> None:
    add_job(connection, "noop")
    add_worker(connection)
    add_run(connection, 1, outcome="failed", worker_id=1)
    enqueue(connection, lock="k")
    answer = on_database(*line, DATABASE_URL=as_login(database, "reader"))
    assert (answer.code, answer.err) == (0, "")
    assert "noop" in answer.out


@pytest.mark.parametrize("line", READING.values(), ids=READING)
def test_a_statement_that_takes_too_long_is_ended(
    on_database: Command, connection: Connection, line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has locked what is read: one clear error instead of a command that hangs."""
    monkeypatch.setattr(invocation, "READING_SECONDS", 0.3)
    monkeypatch.setattr(timeline, "_SECONDS", 0.3)
    with connection.transaction():
        connection.execute(
            "LOCK TABLE queue_worker.run, queue_worker.worker IN ACCESS EXCLUSIVE MODE"
        )
        on_database(*line).assert_one_error(69, "statement timeout", "Ask for less")


def test_a_reading_session_can_change_nothing(
    ready: Command, database: str, connection: Connection
) -> None:
    with (
        readable_database(load_settings(database_url=database)) as reading,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        reading.execute("DELETE FROM queue_worker.worker")


EVIL = (
    "\x1b[31mred\x1b[0m \x1b]0;owned\x07 [bold]x[/bold] [/nonsense] \x9b2J \r\b\x00"
    " \u202eevil\u2066 \U0001f389 \ud800 e\u0301\u0301 \N{ZERO WIDTH JOINER}\n\ttab"
)


@pytest.mark.parametrize(
    "text",
    [EVIL, EVIL * 100, "\x1b[2J" + "y" * 10_000_000, b"\xff\xfe\x80".decode("latin-1")],
    ids=["controls", "many of them", "10 MB", "no UTF-8"],
)
def test_what_jobs_say_breaks_no_command(
    on_database: Command, connection: Connection, text: str
) -> None:
    """Stored as the runner stores it, or as long as somebody else has."""
    stored = text.replace("\0", "�").encode(errors="replace").decode()
    add_run(
        connection, 1, job=stored[:200], outcome="failed", error_class=stored[:100],
        error_message=stored, traceback=stored, lock_key=stored[:100],
    )  # fmt: skip
    for line in READING.values():
        answer = on_database(*line)
        assert (answer.code, answer.err) == (0, "")
        assert len(answer.out) < 100_000
        assert all(c.isprintable() or c == "\n" for c in answer.out)
    assert show(on_database, "1.1")["error_message"] == stored


def test_a_terminal_without_the_letters_gets_question_marks(
    database: str, connection: Connection
) -> None:
    add_run(connection, 1, outcome="failed", error_message="caf\u00e9 \U0001f389")
    for line in (["show", "1.1"], ["top", "--once"]):
        done = call(environment(database, PYTHONIOENCODING="ascii"), *line)
        assert (done.returncode, done.stderr) == (0, "")
        assert "caf? ?" in done.stdout
