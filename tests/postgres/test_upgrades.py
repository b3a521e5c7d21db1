"""From every level of migrations to the newest: rows are kept, and what waits is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.schema import migrations_path

from queue_worker.database import connect
from queue_worker.errors import MigrationRefused, MigrationsPending
from queue_worker.governance import migrations
from queue_worker.governance.foundation import TESTED
from queue_worker.governance.migrations import (
    Migration,
    check_migrations,
    held_back,
    migrate,
    plan_migrations,
)
from queue_worker.governance.older_workers import LivingWorker
from queue_worker.queue import schema
from queue_worker.statements import sql_root
from tests.support.eventually import eventually
from tests.support.ledger import add_worker, enqueue
from tests.support.processes import environment, worker_process
from tests.support.roles import make_test_roles

Connection = psycopg.Connection[Any]

LEVELS = sorted(path.name for path in (sql_root() / "migrations").glob("*.sql"))
DRAINED = {
    LEVELS[0],
    LEVELS[3],
    LEVELS[-2],
}  # where a worker carries out the rest: it takes a while
STATES = ("todo", "todo", "doing", "succeeded", "failed", "cancelled")
_QUEUE = (
    "SELECT id, task_name, status, scheduled_at, args, attempts FROM procrastinate_jobs ORDER BY id"
)
_LEDGER = "SELECT queue_job_id, attempt, job, outcome, error_class FROM queue_worker.run ORDER BY 1"
CALLED = "functions/check_worker.sql"  # by a trigger of a migration
CONTRACT = Migration(
    "migrations/9000_breaking_contract.sql",
    "-- Breaks older workers: yes.\nCREATE TABLE public.contract ();",
)
LATER = Migration("migrations/9001_later.sql", "CREATE TABLE public.later ();")


@pytest.fixture
def empty(empty_database: str) -> Iterator[Connection]:
    with connect(empty_database, name="test") as connection:
        yield connection


@contextmanager
def own_files(monkeypatch: pytest.MonkeyPatch, *, last: str = "~", more: tuple[Migration, ...] = ()) -> Iterator[None]:  # fmt: skip
    """Ours are the migrations up to this one and these; what they made stands in no other file."""
    found = list(migrations._own_files())
    own = [m for m in found if m.name.rpartition("/")[2] <= last or m.is_replaceable]
    with monkeypatch.context() as patch:
        kept = [m for m in own if last == "~" or not m.is_replaceable or m.name == CALLED]
        patch.setattr(migrations, "_own_files", lambda: [*kept, *more])
        yield


@pytest.mark.parametrize("level", LEVELS)
def test_from_every_level_to_the_newest(
    empty: Connection, empty_database: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that wait, are due later, run or have ended are kept; a new worker carries out the rest."""
    with own_files(monkeypatch, last=level):
        migrate(empty)
    add_worker(empty, 7)
    empty.execute("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (7)")
    for state in STATES:
        enqueue(empty, status=state, worker_id=7 if state == "doing" else None)
    later = enqueue(empty, scheduled_at="-1 hour")
    empty.execute(
        "INSERT INTO queue_worker.run (queue_job_id, attempt, job, queue, outcome, worker_id,"
        " enqueued_by, enqueued_at, started_at, finished_at, error_class, error_message)"
        " VALUES (4, 1, 'noop', 'default', 'succeeded', 7, 'ada', now(), now(), now(), NULL, NULL),"
        " (5, 1, 'noop', 'default', 'failed', 7, 'ada', now(), now(), now(), 'ValueError', 'no good')"
    )
    before = empty.execute(_QUEUE).fetchall(), empty.execute(_LEDGER).fetchall()
    migrate(empty)
    check_migrations(empty)
    assert (empty.execute(_QUEUE).fetchall(), empty.execute(_LEDGER).fetchall()) == before
    if level not in DRAINED:
        return
    make_test_roles(empty)
    with worker_process(environment(empty_database)) as worker:
        waiting = "SELECT 1 FROM procrastinate_jobs WHERE id <> %s AND status IN ('todo', 'doing')"
        eventually(lambda: not empty.execute(waiting, [later]).fetchall())
        assert worker.stop() == 0
    outcomes = dict(empty.execute("SELECT queue_job_id, outcome::text FROM queue_worker.run"))
    assert outcomes == {
        1: "succeeded", 2: "succeeded", 3: "lost", 4: "succeeded", 5: "failed",
    }  # fmt: skip


@pytest.mark.fault("F51")
def test_what_breaks_older_workers_waits_until_they_are_gone(
    empty: Connection, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that breaks older workers is pending, and one of them lives."""
    migrate(empty)
    make_test_roles(empty)
    with (
        worker_process(environment(empty_database)) as worker,
        own_files(monkeypatch, more=(CONTRACT,)),
    ):
        assert migrate(empty) == []
        assert check_migrations(empty) == [CONTRACT.name]  # a new worker may start
        ((kept, broken),) = held_back(empty, plan_migrations(empty))
        assert kept == CONTRACT
        assert f"pid {worker.process.pid}" in broken[0]
        assert worker.stop() == 0
        assert migrate(empty) == [CONTRACT]
        assert check_migrations(empty) == []


def test_functions_do_not_wait_for_what_breaks_older_workers(
    empty: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New workers need them, and can start beside the older ones."""
    changed = Migration(
        "functions/changed.sql", "CREATE FUNCTION changed() RETURNS void RETURN NULL"
    )
    workers = [LivingWorker("worker 1", ())]
    monkeypatch.setattr(migrations, "living_workers", lambda _: workers)
    assert [m for m, _ in held_back(empty, [CONTRACT, changed])] == [CONTRACT]
    assert [m for m, _ in held_back(empty, [CONTRACT, LATER, changed])] == [
        CONTRACT,
        LATER,
        changed,
    ]


def test_nothing_overtakes_a_migration_that_is_held_back(
    empty: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    add_worker(empty)
    with own_files(monkeypatch, more=(CONTRACT, LATER)):
        assert migrate(empty) == []
        with pytest.raises(MigrationsPending, match=r"9001_later\.sql"):
            check_migrations(empty)
        assert migrate(empty, despite_older_workers=True) == [CONTRACT, LATER]


def test_a_worker_that_knows_the_migration_holds_nothing_back(
    empty: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    add_worker(empty, level=["migrations/9000_breaking_contract.sql"])
    add_worker(empty, 2, last_heartbeat_at="1 minute")  # and one that is dead
    with own_files(monkeypatch, more=(CONTRACT,)):
        assert migrate(empty) == [CONTRACT]


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of migrations of a procrastinate that is newer than the one we are tested with."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for path in migrations_path.glob("*.sql"):
        (folder / path.name).write_text(path.read_text())
    monkeypatch.setattr(schema, "migrations_path", folder)
    return folder


def test_the_newest_migration_of_procrastinate_is_the_one_we_are_tested_with() -> None:
    newest = max(path.name for path in migrations_path.glob("*.sql"))
    assert f"procrastinate/{newest}" == TESTED


@pytest.mark.fault("F52")
def test_a_newer_procrastinate_is_found_and_applied(connection: Connection, newer: Path) -> None:
    """Procrastinate was upgraded under us; its new migration leaves alone what we rest on."""
    file = newer / "03.99.00_01_pre_note.sql"
    file.write_text("ALTER TABLE procrastinate_jobs ADD COLUMN note text;")
    with pytest.raises(MigrationsPending, match="pre_note"):
        check_migrations(connection)
    assert [m.name for m in migrate(connection)] == [f"procrastinate/{file.name}"]
    check_migrations(connection)
    enqueue(connection)


@pytest.mark.fault("F53")
@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("ALTER TABLE procrastinate_jobs DROP COLUMN abort_requested", "other objects depend"),
        (
            "ALTER TABLE procrastinate_workers RENAME COLUMN last_heartbeat TO seen",
            "last_heartbeat is gone",
        ),
        (
            (
                "ALTER TABLE procrastinate_jobs ADD COLUMN tenant text DEFAULT '' NOT NULL;"
                "ALTER TABLE procrastinate_jobs ALTER COLUMN tenant DROP DEFAULT"
            ),
            "tenant is new",
        ),
        (
            "ALTER TYPE procrastinate_job_status RENAME VALUE 'doing' TO 'running'",
            "status is another",
        ),
        ("DROP TRIGGER queue_worker_record_updated ON procrastinate_jobs", "record_updated"),
        (
            (
                "CREATE TRIGGER twice AFTER UPDATE ON procrastinate_jobs FOR EACH ROW"
                " EXECUTE FUNCTION procrastinate_trigger_function_status_events_update_v1()"
            ),
            "trigger twice .* is new",
        ),
        (
            (
                "ALTER TABLE procrastinate_jobs"
                " ENABLE TRIGGER procrastinate_trigger_status_events_insert_v1"
            ),
            "is another",
        ),
        ("DROP FUNCTION procrastinate_register_worker_v1()", "is gone"),
    ],
)
def test_a_newer_procrastinate_that_we_could_not_work_on_is_refused(
    connection: Connection, newer: Path, text: str, change: str
) -> None:
    """Procrastinate was upgraded under us; its new migration changes what our SQL rests on."""
    (newer / "03.99.00_01_pre_change.sql").write_text(text)
    before = connection.execute("SELECT count(*) FROM queue_worker.migration").fetchone()
    with pytest.raises(MigrationRefused, match=change):
        migrate(connection)
    assert connection.execute("SELECT count(*) FROM queue_worker.migration").fetchone() == before
    enqueue(connection)
    with pytest.raises(MigrationsPending):
        check_migrations(connection)


def test_the_second_half_of_a_newer_procrastinate_waits_for_older_workers(
    connection: Connection, newer: Path
) -> None:
    (newer / "03.99.00_50_post_clean.sql").write_text("SELECT 1")
    add_worker(connection, level=[TESTED])
    assert migrate(connection) == []
    assert len(check_migrations(connection)) == 1
    connection.execute("UPDATE queue_worker.worker SET ended_at = now(), ended_how = 'stopped'")
    assert len(migrate(connection)) == 1
