"""What is kept for ever: nobody deletes a row of it, by no command and as no role."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.support.postgres import execute
from tests.support.retention import KEPT_TABLES as TABLES
from tests.support.retention import Connection, add_history, rows_kept
from tests.support.roles import PARTS
from tests.support.roles import role as role_of

OWNER = "postgres"
ROLES = (OWNER, *map(role_of, PARTS))
ATTEMPTS = (
    "DELETE FROM {}",
    "DELETE FROM {} WHERE false",
    "DELETE FROM ONLY {} WHERE ctid = '(0,1)'",
    "WITH gone AS (DELETE FROM {} RETURNING 1) SELECT count(*) FROM gone",
    "MERGE INTO {} AS t USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE {} CASCADE",
    "SET session_replication_role = replica; DELETE FROM {}",
    "SET session_replication_role = replica; TRUNCATE {} CASCADE",
)


@pytest.fixture
def history(connection: Connection) -> dict[str, set[str]]:
    """Rows in each of the tables; returns them as text."""
    add_history(connection)
    return rows_kept(connection)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", TABLES)
def test_no_role_deletes_a_row(
    history: dict[str, set[str]], connection: Connection, database: str, table: str, role: str
) -> None:
    assert all(history.values())
    with psycopg.connect(database, autocommit=True) as session:
        session.execute("SELECT set_config('role', %s, false)", [role])
        for attempt in ATTEMPTS:
            with pytest.raises(
                (psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)
            ):
                session.execute(attempt.format(table))
    assert rows_kept(connection) == history


@pytest.mark.parametrize("table", TABLES)
def test_a_policy_on_such_a_table_is_refused_by_the_database_itself(
    connection: Connection, table: str
) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="kept for ever"):
        connection.execute(
            """
            INSERT INTO queue_worker.retention_policy
                (name, relation, column_name, how, keep, max_rows, max_share, description)
            VALUES ('mine', %s, 'at', 'soft_delete', '900 days', 1, 1, '')
            """,
            [table],
        )


def test_a_policy_below_its_least_age_is_refused_by_the_database_itself(
    connection: Connection,
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            """
            INSERT INTO queue_worker.retention_policy
                (name, relation, column_name, how, keep, least, max_rows, max_share, description)
            VALUES ('run_ledger', 'queue_worker.run', 'finished_at', 'hard_delete', '2 days',
                    '90 days', 1, 1, '')
            """
        )


def guard_rows(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT actor, action, subject, reason, role FROM queue_worker.audit_log "
        "WHERE action LIKE 'guard.%' ORDER BY audit_id"
    ).fetchall()


@pytest.mark.parametrize("table", TABLES[:3])
def test_the_owner_disables_a_guard_by_name_and_that_is_audited(
    history: dict[str, set[str]], connection: Connection, table: str
) -> None:
    (guards,) = connection.execute(
        "SELECT queue_worker.disable_guard(%s, 'ada', 'court order')", [table]
    ).fetchone() or ([],)
    connection.execute("SET session_replication_role = replica")  # foreign keys aside
    assert connection.execute(f"DELETE FROM {table}").rowcount == 1
    connection.execute("RESET session_replication_role")
    connection.execute("SELECT queue_worker.enable_guard(%s, 'ada', 'done')", [table])
    with pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(f"DELETE FROM {table}")
    subject = f"guard:{table}.{guards[0]}"
    assert guard_rows(connection) == [
        ("ada", "guard.disabled", subject, "court order", "postgres"),
        ("ada", "guard.enabled", subject, "done", "postgres"),
    ]


@pytest.mark.parametrize("table", TABLES)
def test_a_superuser_who_disables_it_by_hand_is_audited(connection: Connection, table: str) -> None:
    connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    ((actor, action, subject, reason, _),) = guard_rows(connection)
    assert (actor, action) == ("postgres", "guard.disabled")
    assert subject.startswith(f"guard:{table}.")
    assert "by hand" in reason


@pytest.mark.parametrize("arguments", [("", "reason"), ("ada", " ")])
def test_a_guard_is_not_disabled_without_a_name_and_a_reason(
    connection: Connection, arguments: tuple[str, str]
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        connection.execute(
            "SELECT queue_worker.disable_guard('queue_worker.audit_log', %s, %s)", arguments
        )
    with pytest.raises(psycopg.errors.UndefinedObject, match="has no guard"):
        connection.execute("SELECT queue_worker.disable_guard('queue_worker.tick', 'ada', 'x')")


@pytest.fixture
def owned(server_dsn: str) -> Iterator[str]:
    """The DSN of a database that a role without special rights has made and migrated."""
    name = f"owner_{secrets.token_hex(4)}"
    execute(server_dsn, f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name} OWNER {name}")
    dsn = make_conninfo(server_dsn, dbname=name, user=name)
    with connect(dsn, name="test") as connection:
        migrate(connection)
    yield dsn
    execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {name}")


def test_without_a_superuser_the_function_writes_the_audit_log(owned: str) -> None:
    with connect(owned, name="test") as connection:
        connection.execute(
            "SELECT queue_worker.disable_guard('content_pipeline.published_output', 'ada', 'why')"
        )
        ((actor, action, subject, reason, _),) = guard_rows(connection)
    assert (actor, action, reason) == ("ada", "guard.disabled", "why")
    assert subject.endswith(".published_output_append_only")


def test_whoever_has_no_right_here_alters_tables_of_its_own(connection: Connection) -> None:
    """The event trigger that audits guards runs for them too."""
    name = f"stranger_{secrets.token_hex(4)}"
    connection.execute(f"CREATE ROLE {name}")
    try:
        connection.execute(f"CREATE SCHEMA theirs AUTHORIZATION {name}")
        connection.execute(f"SET ROLE {name}")
        connection.execute("CREATE TABLE theirs.book (id integer)")
        connection.execute("ALTER TABLE theirs.book ADD COLUMN title text")
    finally:
        connection.execute("RESET ROLE")
        connection.execute("DROP SCHEMA IF EXISTS theirs CASCADE")
        connection.execute(f"DROP ROLE {name}")
