"""Each check: break just that thing, and see its message, the exit code and the failed run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from queue_worker import SyncQueueClient, load_settings
from queue_worker.governance.checks import CHECKS, Moment, server
from queue_worker.governance.migrations import migrate
from queue_worker.housekeeping import load_jobs
from queue_worker.statements import statement
from tests.cli.conftest import Command
from tests.support.alerts import tend
from tests.support.breakages import BREAKAGES, Breakage
from tests.support.clock import needs_faketime, with_clock
from tests.support.eventually import eventually
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import execute
from tests.support.processes import JOBS, call, environment, worker_process
from tests.support.receiver import receiving
from tests.support.roles import as_login, session
from tests.support.sessions import ended_session

Connection = psycopg.Connection[Any]
ALERT = "ENVIRONMENT_INVALID:queue_worker.validation"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "VALIDATION.md"


@pytest.fixture
def check(ready: Command, database: str) -> Any:
    """Calls `queue-worker check --json` as a worker; returns the failed checks and the exit code."""

    def call(**extra: str) -> tuple[dict[str, dict[str, Any]], int]:
        answer = ready("check", "--json", **{"DATABASE_URL": as_login(database, "worker"), **extra})
        found = {result["name"]: result for result in json.loads(answer.out)}
        return {name: result for name, result in found.items() if not result["ok"]}, answer.code

    return call


def assert_only(
    found: tuple[dict[str, dict[str, Any]], int], name: str, says: str, code: int
) -> None:
    failed, exit_code = found
    assert list(failed) == [name], failed
    assert says in failed[name]["message"]
    assert failed[name]["severity"] == ("fatal" if code else "warning")
    assert exit_code == code


def test_as_a_worker_nothing_is_wrong(check: Any) -> None:
    assert check() == ({}, 0)


@pytest.mark.parametrize("broken", BREAKAGES, ids=lambda b: f"{b.check}: {b.says}")
def test_what_is_broken_is_found_alone(
    check: Any, connection: Connection, broken: Breakage
) -> None:
    for command in broken.breaks:
        connection.execute(command)
    code = broken.exit_code
    failed, exit_code = check(**broken.environment)
    if broken.check == "migrations":  # what rests on them is left out
        failed = {"migrations": failed["migrations"]}
    assert_only((failed, exit_code), broken.check, broken.says, code)
    for command in broken.mends:
        connection.execute(command)
    if broken.mends:
        assert check(**broken.environment) == ({}, 0)


@pytest.mark.parametrize(
    "broken",
    [
        b
        for b in BREAKAGES
        if b.check in {"migrations", "functions", "guards", "triggers", "privileges"}
    ],
    ids=lambda b: f"{b.check}: {b.says}",
)
def test_a_worker_does_not_start_in_a_broken_environment(
    database: str, connection: Connection, broken: Breakage
) -> None:
    for command in broken.breaks:
        connection.execute(command)
    refused = call(environment(as_login(database, "worker")), "worker", timeout=30)
    assert refused.returncode == 78
    assert refused.stderr.startswith("Error: ")
    assert refused.stderr.count("\n") == 1
    assert broken.says in refused.stderr


def test_an_edited_function_is_restored_by_migrate(check: Any, connection: Connection) -> None:
    edited = next(b for b in BREAKAGES if b.check == "functions")
    connection.execute(edited.breaks[0])
    assert [m.name for m in migrate(connection)] == ["functions/assert_fence.sql"]
    assert check() == ({}, 0)


def test_an_interrupted_migration_is_no_edit_for_good(check: Any, connection: Connection) -> None:
    """Its file was committed, its fingerprint was not."""
    changed = (
        "UPDATE queue_worker.fingerprint SET digest = 'of the former text' WHERE object LIKE %s"
    )
    connection.execute(changed, ["%assert_fence%"])
    assert_only(check(), "functions", "assert_fence", 78)
    assert [m.name for m in migrate(connection)] == ["functions/assert_fence.sql"]
    assert check() == ({}, 0)


def test_what_is_being_migrated_is_no_edit(
    check: Any, connection: Connection, database: str
) -> None:
    connection.execute("UPDATE queue_worker.fingerprint SET digest = 'of the former text'")
    with ended_session(database, name="a migration") as migrating:
        migrating.execute(statement("hold_migrations"))
        assert check() == ({}, 0)
    assert_only(check(), "functions", "assert_fence", 78)


def test_a_later_migration_does_not_bless_what_was_edited(
    check: Any, connection: Connection
) -> None:
    connection.execute("ALTER FUNCTION queue_worker.drop_events() SET search_path = public")
    connection.execute("DROP VIEW queue_worker.running")
    migrate(connection)
    assert_only(check(), "functions", "queue_worker.drop_events()", 78)


# What SQL in one database can't break ---------------------------------------------------------------


def test_an_old_server_is_refused(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "OLDEST", 99)
    assert_only(check(), "version", "Upgrade the server to 99", 78)


def test_a_server_that_is_newer_than_the_tests_is_a_warning(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "NEWEST", 14)
    assert_only(check(), "version", "is newer than any", 0)


def test_another_encoding_is_refused(ready: Command, server_dsn: str, worker_id: str) -> None:
    name = f"ascii_{worker_id}"
    execute(
        server_dsn, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
    )
    try:
        dsn = make_conninfo(server_dsn, dbname=name)
        with psycopg.connect(dsn, autocommit=True, client_encoding="utf8") as connection:
            migrate(connection)
        refused = ready("status", DATABASE_URL=dsn)
        refused.assert_one_error(78, "The encoding of the database is SQL_ASCII")
    finally:
        execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


def test_plain_text_to_another_host_is_a_warning_or_refused(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "is_local", lambda *_: False)
    assert_only(check(), "tls", "in plain text. Add sslmode=verify-full", 0)
    assert_only(check(QUEUE_WORKER_REQUIRE_TLS="1"), "tls", "in plain text", 78)


@pytest.mark.parametrize(
    ("host", "address", "expected"),
    [
        ("/tmp", "", True), ("", "", True), ("localhost", "127.0.0.1", True), ("x", "::1", True),
        ("db", "10.0.0.7", False), ("localhost", "192.0.2.1", False), ("db", "fe80::1%eth0", False),
    ],
)  # fmt: skip
def test_what_is_local(host: str, address: str, expected: bool) -> None:
    assert server.is_local(host, address) is expected


@pytest.mark.parametrize("skew", [-60, 60])
def test_clocks_that_differ_are_a_warning(
    check: Any, monkeypatch: pytest.MonkeyPatch, skew: int
) -> None:
    now = server.time.time
    monkeypatch.setattr(server.time, "time", lambda: now() + skew)
    assert_only(check(), "clock", "60 s apart", 0)


@pytest.mark.fault("F14")
def test_a_pooler_in_the_way_is_refused(ready: Command, database: str) -> None:
    with pgbouncer(database, "transaction") as pooled:
        answer = ready("check", "--json", DATABASE_URL=pooled)
    failed = [r for r in json.loads(answer.out) if r["exit_code"]]
    assert [r["name"] for r in failed] == ["pooler"]
    assert "QUEUE_WORKER_DIRECT_URL is not set" in failed[0]["message"]
    assert answer.code == 78


# What holds vacuum back ------------------------------------------------------------------------------


@pytest.fixture
def held_transaction(database: str, connection: Connection) -> Iterator[None]:
    """A session of a worker that has been in a transaction for a second."""
    with session(database, "worker") as own, own.transaction():
        own.execute("SELECT pg_current_xact_id()")
        aged = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start < clock_timestamp() - interval '1 second'"  # fmt: skip
        eventually(lambda: connection.execute(aged).fetchone() == (1,))
        yield


@pytest.fixture
def prepared_transaction(connection: Connection) -> Iterator[None]:
    """A prepared transaction that has waited for a second."""
    if connection.execute("SHOW max_prepared_transactions").fetchone() == ("0",):
        pytest.skip("this server prepares no transactions")
    with connection.transaction():
        connection.execute("SELECT pg_current_xact_id()")
        connection.execute("PREPARE TRANSACTION 'forgotten'")
    aged = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database() AND prepared < clock_timestamp() - interval '1 second'"  # fmt: skip
    eventually(lambda: connection.execute(aged).fetchone() == (1,))
    yield
    connection.execute("ROLLBACK PREPARED 'forgotten'")


@pytest.fixture
def unused_slot(connection: Connection) -> Iterator[None]:
    """A replication slot that nobody reads."""
    name = f"slot_of_{connection.info.dbname}"
    connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", [name])
    yield
    connection.execute("SELECT pg_drop_replication_slot(%s)", [name])


HELD_BACK = [
    ("oldest_transaction", "pg_terminate_backend(", "held_transaction", {"QUEUE_WORKER_LONGEST_TRANSACTION": "1"}),
    ("prepared_transactions", "Prepared transaction 'forgotten'", "prepared_transaction", {"QUEUE_WORKER_LONGEST_TRANSACTION": "1"}),
    ("replication_slots", "is not in use and holds", "unused_slot", {"QUEUE_WORKER_MOST_WAL_HELD": "0"}),
]  # fmt: skip


@pytest.mark.parametrize("held_back", HELD_BACK, ids=lambda case: case[0])
def test_what_holds_vacuum_back_is_a_warning_and_is_told(
    check: Any,
    connection: Connection,
    client: SyncQueueClient,
    request: pytest.FixtureRequest,
    held_back: tuple[str, str, str, dict[str, str]],
) -> None:
    name, says, fixture, env = held_back
    request.getfixturevalue(fixture)
    assert_only(check(**env), name, says, 0)
    assert check() == ({}, 0)
    with worker_process(environment(request.getfixturevalue("database"), **env)):
        assert_told(client, connection, name, says)


# The job ---------------------------------------------------------------------------------------------


@needs_faketime
def test_clocks_that_differ_are_told(
    database: str, connection: Connection, client: SyncQueueClient
) -> None:
    with worker_process(with_clock(environment(database), "+1h")):
        assert_told(client, connection, "clock", "3,600 s apart")


def test_a_broken_environment_is_told_once_and_so_is_its_repair(
    database: str, connection: Connection
) -> None:
    """All of it: the schedule, the check, the alert, a receiver; and the same way back."""
    broken = next(b for b in BREAKAGES if b.check == "guards")
    with receiving() as receiver:
        env = environment(
            database,
            QUEUE_WORKER_VALIDATION_SCHEDULE="* * * * * *",
            QUEUE_WORKER_ALERT_SINKS=f"webhook+{receiver.url()}",
            QUEUE_WORKER_ALERT_ALLOW_PRIVATE="1",
        )
        with worker_process(env) as worker:
            connection.execute(broken.breaks[0])
            (told,) = eventually(receiver.told)
            worker.wait_for("tick.enqueued", job="queue_worker.validation")
            connection.execute(broken.mends[0])
            (over,) = eventually(lambda: receiver.told("resolved"))
            assert worker.stop() == 0
    assert told["type"] == over["type"] == "ENVIRONMENT_INVALID"
    assert told["fingerprint"] == over["fingerprint"] == ALERT
    assert broken.says in told["summary"]
    assert told["runbook"] == "docs/VALIDATION.md"
    assert len({message["id"] for message in receiver.messages}) == 2


def test_whatever_breaks_later_fails_the_validation_and_is_told(
    database: str, connection: Connection, client: SyncQueueClient
) -> None:
    scheduled = [b for b in BREAKAGES if b.is_scheduled]
    by_hand = {"clock", "oldest_transaction", "prepared_transactions", "replication_slots"}
    later = {check.name for check in CHECKS if Moment.SCHEDULED in check.moments}
    assert {b.check for b in scheduled} | by_hand == later
    with worker_process(environment(database)):
        assert validated(client, connection) == ("succeeded", None, None)
        for broken in scheduled:
            for command in broken.breaks:
                connection.execute(command)
            assert_told(client, connection, broken.check, broken.says)
            if not broken.mends:
                migrate(connection)
            for command in broken.mends:
                connection.execute(command)
            assert validated(client, connection)[0] == "succeeded", broken
            assert eventually(lambda: alert(connection, state="resolved"))


@pytest.fixture
def client(database: str) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(load_jobs(JOBS, ()), load_settings(database_url=database)) as client:
        yield client


def assert_told(client: SyncQueueClient, connection: Connection, name: str, says: str) -> None:
    """The validation fails over this check alone, and there is an alert that says so."""
    outcome, error_class, message = validated(client, connection)
    assert (outcome, error_class) == ("failed", "EnvironmentInvalid")
    assert message.startswith(f"1 checks failed ({name})"), message
    assert says in message
    assert says in eventually(lambda: alert(connection, state="open"))


def alert(connection: Connection, state: str) -> str | None:
    """The summary of the alert of the validation, if it stands so; what was found is folded first."""
    tend(connection)
    row = connection.execute(
        "SELECT summary FROM queue_worker.alert WHERE fingerprint = %s AND state = %s",
        [ALERT, state],
    ).fetchone()
    return str(row[0]) if row else None


def validated(client: SyncQueueClient, connection: Connection) -> tuple[Any, ...]:
    queue_job_id = client.enqueue("queue_worker.validation").queue_job_id
    query = "SELECT outcome::text, error_class, error_message FROM queue_worker.run WHERE queue_job_id = %s"
    return eventually(lambda: connection.execute(query, [queue_job_id]).fetchone())


def test_a_worker_schedules_the_validation_as_the_setting_says(
    database: str, connection: Connection
) -> None:
    env = environment(database, QUEUE_WORKER_VALIDATION_SCHEDULE="* * * * * *")
    run = "SELECT outcome::text FROM queue_worker.run WHERE job = 'queue_worker.validation' AND due_at IS NOT NULL"
    with worker_process(env):
        assert eventually(lambda: connection.execute(run).fetchone()) == ("succeeded",)


def test_a_schedule_that_is_none_is_refused(ready: Command, standing: str) -> None:
    refused = ready("worker", DATABASE_URL=standing, QUEUE_WORKER_VALIDATION_SCHEDULE="often")
    refused.assert_one_error(78, "QUEUE_WORKER_VALIDATION_SCHEDULE is refused", "or to manual")
    checked = ready("check", DATABASE_URL=standing, QUEUE_WORKER_VALIDATION_SCHEDULE="often")
    assert checked.code == 78
    assert "QUEUE_WORKER_VALIDATION_SCHEDULE is refused" in checked.out


def test_a_worker_says_at_its_start_what_is_odd(database: str) -> None:
    env = environment(database, QUEUE_WORKER_CONCURENCY="3")
    with worker_process(env) as worker:
        said = worker.wait_for("environment.warning", check="setting_names")
    assert "did you mean QUEUE_WORKER_CONCURRENCY?" in said["problem"]


def test_the_page_explains_every_check() -> None:
    page = PAGE.read_text()
    for check in CHECKS:
        assert f"| `{check.name}` | {check.severity} |" in page
