"""The audit log is a chain: whoever tampers with it is found out, and so is where."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from queue_worker.database import connect
from queue_worker.governance.audit import verify_audit
from queue_worker.governance.migrations import migrate
from tests.support.postgres import execute, find_binaries

Connection = psycopg.Connection[Any]
TABLES = ("audit_log", "audit_chain", "audit_head")
WRITE = "SELECT queue_worker.audit('ada', 'thing.done', 'thing:1', %s)"


def write(connection: Connection, count: int) -> None:
    for number in range(count):
        connection.execute(WRITE, [f"reason {number}"])


def problems(connection: Connection, anchor: str | None = None) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in verify_audit(connection, anchor).problems]


def tamper(connection: Connection, *statements: str) -> None:
    """As somebody who may do everything: no trigger stops him."""
    connection.execute("ALTER EVENT TRIGGER queue_worker_audit_guards DISABLE")
    for table in TABLES:
        connection.execute(f"ALTER TABLE queue_worker.{table} DISABLE TRIGGER USER")
    for statement in statements:
        connection.execute(statement)
    for table in TABLES:
        connection.execute(f"ALTER TABLE queue_worker.{table} ENABLE TRIGGER USER")
    connection.execute("ALTER EVENT TRIGGER queue_worker_audit_guards ENABLE")


@pytest.fixture
def log(connection: Connection) -> Connection:
    write(connection, 5)
    return connection


def test_what_was_written_verifies(log: Connection) -> None:
    found = verify_audit(log)
    assert found.problems == []
    assert found.anchor
    write(log, 3)
    assert problems(log, found.anchor) == []
    assert verify_audit(log).anchor != found.anchor


def test_an_empty_log_verifies_and_its_anchor_too(connection: Connection) -> None:
    found = verify_audit(connection)
    assert found.problems == []
    write(connection, 1)
    assert problems(connection, found.anchor) == []


@pytest.mark.parametrize(
    "change",
    [
        "at = at + interval '1 microsecond'",
        "actor = 'eve'",
        "action = 'thing.undone'",
        "subject = 'thing:2'",
        "reason = reason || ' '",
        """details = '{"a": null}'""",
        "role = 'eve'",
        "application = 'psql'",
    ],
)
def test_an_edited_row_is_named_whatever_was_edited(log: Connection, change: str) -> None:
    tamper(log, f"UPDATE queue_worker.audit_log SET {change} WHERE audit_id = 3")
    assert problems(log) == [(3, 3, "the row was edited")]


def test_two_rows_that_have_changed_places_are_named(log: Connection) -> None:
    tamper(
        log,
        "UPDATE queue_worker.audit_chain SET audit_id = -audit_id WHERE audit_id IN (2, 3)",
        "UPDATE queue_worker.audit_chain SET audit_id = 5 + audit_id WHERE audit_id < 0",
    )
    assert problems(log) == [(2, 3, "the row was edited"), (3, 2, "the row was edited")]


def test_a_deleted_row_is_named(log: Connection) -> None:
    tamper(log, "DELETE FROM queue_worker.audit_log WHERE audit_id = 2")
    assert problems(log) == [(2, 2, "the row was deleted")]


def test_a_row_that_is_deleted_with_its_link_is_named(log: Connection) -> None:
    tamper(
        log,
        "DELETE FROM queue_worker.audit_log WHERE audit_id IN (2, 3)",
        "DELETE FROM queue_worker.audit_chain WHERE audit_id IN (2, 3)",
    )
    assert problems(log) == [(4, 4, "entries 2 to 3 were removed before it")]


def test_a_hole_that_is_closed_by_new_numbers_is_named(log: Connection) -> None:
    tamper(
        log,
        "DELETE FROM queue_worker.audit_log WHERE audit_id = 3",
        "DELETE FROM queue_worker.audit_chain WHERE audit_id = 3",
        "UPDATE queue_worker.audit_chain SET chain_no = chain_no - 1 WHERE chain_no = 4",
        "UPDATE queue_worker.audit_chain SET chain_no = chain_no - 1 WHERE chain_no = 5",
        "UPDATE queue_worker.audit_head SET entries = 4",
    )
    assert problems(log) == [(3, 4, "the link before it was changed")]


def test_a_row_that_was_put_in_is_named(log: Connection) -> None:
    tamper(
        log,
        "INSERT INTO queue_worker.audit_log (actor, action, subject, reason) VALUES ('a', 'b', 'c', 'd')",
    )
    assert problems(log) == [
        (None, 6, "the row was put in past the chain, or its link was removed")
    ]


def test_a_tail_that_is_cut_off_is_found(log: Connection) -> None:
    tamper(
        log,
        "DELETE FROM queue_worker.audit_log WHERE audit_id > 3",
        "DELETE FROM queue_worker.audit_chain WHERE audit_id > 3",
    )
    assert problems(log) == [(3, None, "the chain ends here, but 5 entries were written")]


CUT_WITH_HEAD = (
    "DELETE FROM queue_worker.audit_log WHERE audit_id > 3",
    "DELETE FROM queue_worker.audit_chain WHERE audit_id > 3",
    (
        "UPDATE queue_worker.audit_head SET entries = 3,"
        " hash = (SELECT hash FROM queue_worker.audit_chain WHERE chain_no = 3)"
    ),
)


def test_a_tail_that_is_cut_off_with_the_head_needs_an_anchor(log: Connection) -> None:
    anchor = verify_audit(log).anchor
    tamper(log, *CUT_WITH_HEAD)
    assert problems(log) == []
    assert problems(log, anchor) == [
        (5, None, "the anchor does not fit: this entry was removed or changed since")
    ]


def test_a_log_that_is_forged_as_a_whole_needs_an_anchor(log: Connection) -> None:
    anchor = verify_audit(log).anchor
    tamper(
        log,
        "UPDATE queue_worker.audit_log SET actor = 'eve' WHERE audit_id = 1",
        "DELETE FROM queue_worker.audit_chain",
        "UPDATE queue_worker.audit_head SET entries = 0, hash = ''",
        """
        DO $$ DECLARE entry queue_worker.audit_log; link bytea := ''; place bigint := 0;
        BEGIN
            FOR entry IN SELECT * FROM queue_worker.audit_log ORDER BY audit_id LOOP
                place := place + 1;
                INSERT INTO queue_worker.audit_chain
                VALUES (place, entry.audit_id, link, queue_worker.hash_audit(link, entry))
                RETURNING hash INTO link;
                UPDATE queue_worker.audit_head SET entries = place, hash = link;
            END LOOP;
        END $$
        """,
    )
    assert problems(log) == []
    assert problems(log, anchor) == [
        (5, None, "the anchor does not fit: this entry was removed or changed since")
    ]


@pytest.mark.parametrize("anchor", ["", "5", "5:xyz", "-1:" + "0" * 64, "x' OR 1=1 --"])
def test_a_malformed_anchor_proves_nothing(log: Connection, anchor: str) -> None:
    assert [problem for *_, problem in problems(log, anchor)] == [
        "the anchor is malformed: it is what an earlier verification has printed"
    ]


def test_an_anchor_beyond_every_number_does_not_fit(log: Connection) -> None:
    assert len(problems(log, "9" * 40 + ":" + "0" * 64)) == 1


def test_a_head_that_is_gone_is_found_and_nothing_is_audited_without_it(log: Connection) -> None:
    tamper(log, "DELETE FROM queue_worker.audit_head")
    assert problems(log) == [(5, None, "the head of the chain is gone")]
    with pytest.raises(psycopg.errors.NoDataFound):
        write(log, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE queue_worker.audit_log SET actor = 'eve'",
        "DELETE FROM queue_worker.audit_log",
        "TRUNCATE queue_worker.audit_log",
        "UPDATE queue_worker.audit_chain SET hash = ''",
        "DELETE FROM queue_worker.audit_chain",
        "TRUNCATE queue_worker.audit_chain",
        "UPDATE queue_worker.audit_head SET entries = 3",
        "DELETE FROM queue_worker.audit_head",
        "TRUNCATE queue_worker.audit_head",
    ],
)
def test_triggers_refuse_what_is_not_an_addition(log: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="its rows are never changed"):
        log.execute(statement)
    assert problems(log) == []


def test_a_transaction_that_is_rolled_back_leaves_no_gap(log: Connection) -> None:
    with log.transaction(force_rollback=True):
        write(log, 2)
    with log.transaction():
        write(log, 1)
        with log.transaction(force_rollback=True):
            write(log, 1)
        write(log, 1)
    assert problems(log) == []
    assert log.execute(
        "SELECT max(chain_no), max(audit_id) FROM queue_worker.audit_chain"
    ).fetchone() == (7, 10)


def test_writers_at_once_make_one_chain(database: str, connection: Connection) -> None:
    def run(number: int) -> None:
        with connect(database, name=f"writer {number}") as own:
            for _ in range(10):
                with own.transaction():
                    write(own, 3)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert problems(connection) == []
    assert connection.execute("SELECT entries FROM queue_worker.audit_head").fetchone() == (240,)


def test_a_writer_that_waits_for_a_row_keeps_no_other_from_auditing(
    database: str, connection: Connection
) -> None:
    """The head is locked last: not while its holder goes on to rows that others hold."""
    connection.execute("SET lock_timeout = '2s'")
    with connect(database, name="other") as other, other.transaction():
        write(other, 1)
        write(connection, 1)
    assert problems(connection) == []


def test_a_role_that_may_only_add_rows_cannot_touch_the_chain(
    database: str, connection: Connection
) -> None:
    connection.execute("DROP ROLE IF EXISTS audit_test_writer")
    connection.execute("CREATE ROLE audit_test_writer")
    try:
        connection.execute("GRANT USAGE ON SCHEMA queue_worker TO audit_test_writer")
        connection.execute("GRANT INSERT ON queue_worker.audit_log TO audit_test_writer")
        for function in ("audit", "require_actor"):
            connection.execute(
                f"GRANT EXECUTE ON FUNCTION queue_worker.{function} TO audit_test_writer"
            )
        connection.execute("SET ROLE audit_test_writer")
        write(connection, 1)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT FROM queue_worker.audit_chain")
        connection.execute("RESET ROLE")
        assert problems(connection) == []
    finally:
        connection.execute("RESET ROLE")
        connection.execute("DROP OWNED BY audit_test_writer")
        connection.execute("DROP ROLE audit_test_writer")


def test_the_rows_of_an_older_database_are_chained(empty_database: str) -> None:
    with connect(empty_database, name="test") as connection:
        migrate(connection)
        write(connection, 3)
        for statement in (
            "DROP TRIGGER audit_log_chain ON queue_worker.audit_log",
            "DROP TABLE queue_worker.audit_chain, queue_worker.audit_head",
            "DROP TABLE queue_worker.pause CASCADE",
            "DROP FUNCTION queue_worker.chain_audit, queue_worker.hash_audit",
            "DROP INDEX queue_worker_jobs_abort_idx",
            "DELETE FROM queue_worker.migration WHERE name = 'migrations/0006_operators.sql'",
        ):
            connection.execute(statement)
        assert "migrations/0006_operators.sql" in [m.name for m in migrate(connection)]
        assert problems(connection) == []
        write(connection, 1)
        assert problems(connection) == []
        assert verify_audit(connection).anchor[:2] == "4:"  # type: ignore[index]  there is one


def test_a_restored_dump_verifies_and_goes_on(
    log: Connection, database: str, server_dsn: str, tmp_path: Path, template: str
) -> None:
    version = str(log.info.server_version // 10_000)
    dump = shutil.which("pg_dump", path=str(find_binaries(version)))
    if dump is None or not (find_binaries(version) / "psql").exists():
        pytest.skip("this server brings no pg_dump or psql")
    anchor = verify_audit(log).anchor
    name = f"{template}_restored"
    restored = make_conninfo(server_dsn, dbname=name)
    subprocess.run([dump, "-f", str(tmp_path / "dump.sql"), database], check=True)
    execute(server_dsn, f'CREATE DATABASE "{name}"')
    try:
        subprocess.run(
            [str(find_binaries(version) / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-f", str(tmp_path / "dump.sql"), restored],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with connect(restored, name="test") as connection:
            assert problems(connection, anchor) == []
            write(connection, 2)
            assert problems(connection, anchor) == []
    finally:
        execute(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')
