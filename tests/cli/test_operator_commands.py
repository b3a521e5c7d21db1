"""The commands of an operator: what programs get, bad input, and who is named."""

from __future__ import annotations

import getpass
import json
from typing import Any

import psycopg
import pytest

from tests.cli.conftest import Command, contents

Connection = psycopg.Connection[Any]
WHY = ("--reason", "because", "--actor", "ada")
LEVERS = {
    "pause": ["pause", "noop"],
    "resume": ["resume", "noop"],
    "retire": ["retire", "noop"],
    "cancel": ["cancel", "1"],
    "retry": ["retry", "1"],
    "requeue-lost": ["requeue-lost"],
    "release-lock": ["release-lock", "key"],
}
each_lever = pytest.mark.parametrize("line", LEVERS.values(), ids=LEVERS.keys())


@pytest.fixture
def lever(ready: Command, database: str) -> Command:
    return lambda *line, **extra: ready(*line, **{"DATABASE_URL": database, **extra})


def put(connection: Connection, status: str = "todo", attempts: int = 0, task: str = "noop") -> int:
    row = connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)"
        " VALUES ('default', %s, %s, %s) RETURNING id",
        [task, status, attempts],
    ).fetchone()
    assert row is not None
    return int(row[0])


@each_lever
def test_each_lever_wants_a_reason(ready: Command, standing: str, line: list[str]) -> None:
    before = contents(standing)
    missing = ready(*line)
    assert missing.code == 2
    assert "--reason" in missing.err
    ready(*line, "--reason", " ").assert_one_error(65, "needs the name of a person and a reason")
    ready(*line, "--reason", "r", "--actor", "").assert_one_error(65, "Say who does it and why")
    assert contents(standing) == before


@each_lever
def test_each_lever_needs_a_database_that_is_ready(
    ready: Command, empty_database: str, line: list[str]
) -> None:
    ready(*line, *WHY, DATABASE_URL=empty_database).assert_one_error(78, "queue-worker migrate")


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (["pause", "nope"], 65, ["no job 'nope'", "queue_worker.job"]),
        (["pause", "nope", "--queue"], 65, ["no queue 'nope'"]),
        (["cancel", "77"], 65, ["no job 77"]),
        (["retry", "77"], 65, ["no job 77"]),
        (["retry", str(2**70)], 65, ["cannot be stored"]),
        (["release-lock", "key"], 65, ["Nobody holds"]),
    ],
)
def test_what_is_not_there_is_one_error(
    ready: Command, standing: str, line: list[str], code: int, words: list[str]
) -> None:
    before = contents(standing)
    ready(*line, *WHY).assert_one_error(code, *words)
    assert contents(standing) == before


def test_programs_get_what_came_of_it(lever: Command, connection: Connection) -> None:
    waiting, ended = put(connection), put(connection, "failed", 1)

    def answer(*line: str) -> Any:
        return json.loads(lever(*line, *WHY, "--json").out)

    assert answer("pause", "noop") == {"kind": "job", "name": "noop", "what": "paused"}
    assert answer("pause", "noop")["what"] == "already paused"
    assert answer("resume", "noop") == {"kind": "job", "name": "noop", "what": "resumed"}
    assert answer("pause", "default", "--queue")["kind"] == "queue"
    assert answer("cancel", str(waiting)) == {"queue_job_id": waiting, "what": "cancelled"}
    assert answer("retry", str(ended)) == {"queue_job_id": ended, "run_id": f"{ended}.2"}
    assert answer("requeue-lost", "--dry-run") == []
    held = put(connection, "doing", task="other")
    connection.execute("UPDATE procrastinate_jobs SET lock = 'k' WHERE id = %s", [held])
    assert answer("release-lock", "k") == {"lock_key": "k", "run_id": f"{held}.1"}


def test_a_refusal_exits_with_75_as_things_stand(lever: Command, connection: Connection) -> None:
    lever("retry", str(put(connection)), *WHY).assert_one_error(75, "still waits")
    lever("cancel", str(put(connection, "failed")), *WHY).assert_one_error(75, "has ended")


def test_without_a_name_it_is_the_account_and_the_application_is_ours(
    lever: Command, connection: Connection
) -> None:
    assert lever("cancel", str(put(connection)), "--reason", "because").code == 0
    assert connection.execute(
        "SELECT actor, reason, role = session_user, application FROM queue_worker.audit_log"
    ).fetchall() == [(getpass.getuser(), "because", True, "queue_worker cli")]


def test_the_status_shows_what_is_paused(lever: Command, connection: Connection) -> None:
    put(connection)
    lever("pause", "noop", "--reason", "the source is wrong", "--actor", "ada")
    found = json.loads(lever("status", "--json").out)
    assert [(p["kind"], p["name"], p["actor"]) for p in found["paused"]] == [("job", "noop", "ada")]
    table = lever("status").out
    assert "the source is wrong" in table.partition("Paused")[2]


def test_the_audit_log_is_listed_verified_and_found_out(
    lever: Command, connection: Connection
) -> None:
    for _ in range(2):
        lever("cancel", str(put(connection)), *WHY)
    listed = json.loads(lever("audit", "--json").out)
    assert [entry["action"] for entry in listed] == ["job.cancelled"] * 2
    subject = listed[1]["subject"]
    assert len(json.loads(lever("audit", "--subject", subject, "--json").out)) == 1
    assert len(json.loads(lever("audit", "--limit", "1", "--json").out)) == 1
    assert "because" in lever("audit").out

    good = lever("audit", "verify", "--json")
    assert good.code == 0
    verified = json.loads(good.out)
    assert verified["problems"] == []
    anchor = verified["anchor"]
    assert anchor in lever("audit", "verify").out
    assert lever("audit", "verify", "--anchor", anchor).code == 0

    connection.execute("ALTER TABLE queue_worker.audit_log DISABLE TRIGGER audit_log_append_only")
    connection.execute("UPDATE queue_worker.audit_log SET actor = 'eve' WHERE audit_id = 1")
    bad = lever("audit", "verify", "--json")
    assert bad.code == 1
    assert json.loads(bad.out)["problems"] == [
        {"chain_no": 1, "audit_id": 1, "problem": "the row was edited"}
    ]
    table = lever("audit", "verify")
    assert table.code == 1
    assert "the row was edited" in table.out
