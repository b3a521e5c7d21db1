"""Least privilege: what each role must be able to do, and all that it must not."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from queue_worker import QueueClient, SyncQueueClient, load_settings
from queue_worker.governance.checks.schema import FOREVER
from queue_worker.governance.migrations import migrate
from queue_worker.governance.roles import make_roles, read_roles
from queue_worker.jobs import first_party
from queue_worker.schemas import renamed
from queue_worker.statements import positional_statement, sql_root, statement
from tests.support.blocks import read_blocks
from tests.support.content import add_events, add_request, carry_out
from tests.support.jobs import without_ticker
from tests.support.processes import REPOSITORY
from tests.support.role_matrix import read_matrix, written_matrix
from tests.support.roles import PARTS, PREFIX, as_login, login, role, session
from tests.support.schemas import usual_names

Connection = psycopg.Connection[Any]
# Of a schema that a role may not use the search path shows nothing.
UNSEEN = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedObject)


@usual_names
def test_the_matrix_of_the_page_is_what_the_database_grants(connection: Connection) -> None:
    assert read_matrix(connection) == written_matrix(), (
        "Somebody has to decide who may use what is new: put it into sql/views/role_matrix.sql, then "
        "renew docs/SECURITY.md: python -m tests.support.role_matrix"
    )


def test_nobody_has_a_right_on_a_single_partition_or_as_public(connection: Connection) -> None:
    granted = connection.execute(
        """
        SELECT c.oid::regclass::text, a.privilege_type, a.grantee::regrole::text
          FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
         WHERE c.relnamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
           AND a.grantee <> c.relowner AND (c.relispartition OR a.grantee = 0)
        UNION ALL
        SELECT p.oid::regprocedure::text, 'EXECUTE', 'PUBLIC'
          FROM pg_proc AS p
         WHERE p.pronamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
           AND has_function_privilege('pg_monitor', p.oid, 'EXECUTE')
        """
    ).fetchall()
    assert granted == []


def test_everything_belongs_to_the_owner(connection: Connection) -> None:
    foreign = connection.execute(
        """
        SELECT relname FROM pg_class
         WHERE relowner <> %(owner)s::regrole
           AND (relnamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
                OR relname LIKE 'procrastinate%%') AND relkind <> 't'
        UNION ALL
        SELECT proname FROM pg_proc
         WHERE proowner <> %(owner)s::regrole
           AND (pronamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
                OR proname LIKE 'procrastinate%%')
        """,
        {"owner": role("owner")},
    ).fetchall()
    assert foreign == []


def test_functions_with_their_owners_rights_are_few_and_have_a_fixed_path(
    connection: Connection,
) -> None:
    found = dict(
        connection.execute(
            "SELECT proname, proconfig::text FROM pg_proc WHERE prosecdef AND pronamespace IN"
            " ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)"
        ).fetchall()
    )
    (path,) = connection.execute("SELECT quote_ident(current_schema())").fetchone() or ()
    queue_path = "{" + json.dumps(f"search_path={path}, pg_temp") + "}"
    assert found == {
        "chain_audit": '{"search_path=pg_catalog, pg_temp"}',
        "drop_event_partition": '{"search_path=pg_catalog, pg_temp"}',
        "enqueue": queue_path,
        "enqueue_job": queue_path,
        "enqueue_jobs": queue_path,
        "make_event_partitions": '{"search_path=pg_catalog, pg_temp"}',
        "read_cluster": '{"search_path=pg_catalog, pg_temp"}',
    }


def test_no_path_of_a_function_looks_at_temporary_tables_first(connection: Connection) -> None:
    """A trigger of a table runs with the rights of the function that writes to it."""
    open_to_temporary = connection.execute(
        """
        SELECT oid::regprocedure::text FROM pg_proc
         WHERE pronamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
           AND array_to_string(proconfig, ',') LIKE '%search_path=%'
           AND array_to_string(proconfig, ',') NOT LIKE '%, pg_temp%'
        """
    ).fetchall()
    assert open_to_temporary == []


def test_no_view_and_no_table_of_the_reader_shows_arguments(connection: Connection) -> None:
    shown = connection.execute(
        """
        SELECT c.relname, a.attname FROM pg_class AS c
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p', 'v') AND a.attname IN ('args', 'arguments', 'kwargs')
           AND c.relnamespace::regnamespace::text !~ '^pg_'
           AND has_column_privilege(%s, c.oid, a.attnum, 'SELECT')
        """,
        [role("reader")],
    ).fetchall()
    assert shown == []


# Each tries what it must not do -------------------------------------------------------------------

LOSSES = [f"{command} {table}" for table in FOREVER for command in ("DELETE FROM", "TRUNCATE")]
GUARDS = [f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in FOREVER]
REACHES = [
    "SELECT args FROM procrastinate_jobs",
    "INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('q', 'noop', 'succeeded')",
    "DELETE FROM procrastinate_jobs",
    "SELECT procrastinate_defer_jobs_v1(ARRAY[('q','noop',0,NULL,NULL,'{}',NULL)::procrastinate_job_to_defer_v1])",
    "INSERT INTO content_pipeline.published_output (output_id, content_id, published_by, reason) VALUES (1,'c','x','y')",
    "SELECT content_pipeline.promote_output(1, 'x', 'y')",
    "UPDATE queue_worker.run SET outcome = 'succeeded'",
    "DELETE FROM queue_worker.tick",
    "DROP TABLE queue_worker.run",
    "CREATE TABLE queue_worker.mine ()",
    "CREATE OR REPLACE FUNCTION queue_worker.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "INSERT INTO queue_worker.migration (name, checksum, how, version) VALUES ('x', 'x', 'applied', 'x')",
    "UPDATE queue_worker.role SET name = 'postgres'",
]
OF_A_READER = [
    "SELECT queue_worker.enqueue('noop')",
    "UPDATE procrastinate_jobs SET status = 'todo'",
    "SELECT * FROM content_pipeline.analytics_event",
    "SELECT queue_worker.audit('ada', 'x', 'y', 'z')",
]
OF_AN_ENQUEUER = [
    *(f"SELECT * FROM {table}" for table in ("queue_worker.run", "queue_worker.job", "queue_worker.audit_log")),
    "SELECT * FROM queue_worker.migration",
    "SELECT * FROM queue_worker.running",
    "SELECT queue_worker.audit('ada', 'x', 'y', 'z')",
    "SELECT queue_worker.rescue_worker(1, 2)",
    "SELECT content_pipeline.rate_z_score(1, 1, 1, 1)",
    "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'noop')",
    "SELECT id FROM procrastinate_jobs",
]  # fmt: skip
# It removes what a policy lets go: the ledger's trigger refuses all else, and arguments are its work.
OF_A_WORKER = [
    renamed("DELETE FROM queue_worker.run"),
    REACHES[0],
    "DELETE FROM procrastinate_jobs",
]
A_RUN = (
    "INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,"
    " enqueued_by, started_at, finished_at)"
    " VALUES (1, 1, 'noop', 'succeeded', 'q', now(), 'ada', now(), now())"
)
FORBIDDEN = [
    *(
        ("worker", command)
        for command in [*LOSSES, *GUARDS, *REACHES]
        if command not in OF_A_WORKER
    ),
    *(("enqueuer", command) for command in [*LOSSES, *GUARDS, *REACHES, *OF_AN_ENQUEUER]),
    *(("reader", command) for command in [*LOSSES, *GUARDS, *REACHES, *OF_A_READER]),
]


@pytest.mark.parametrize("part", ["worker", "enqueuer", "reader"])
def test_what_a_role_must_not_do_it_can_not(database: str, part: str) -> None:
    with session(database, part) as connection:
        unseen = connection.execute("SELECT to_regclass('procrastinate_jobs') IS NULL").fetchone()
        refusals = (InsufficientPrivilege, *(UNSEEN if unseen == (True,) else ()))
        for command in (command for who, command in FORBIDDEN if who == part):
            with pytest.raises(refusals):
                connection.execute(command)


@pytest.mark.parametrize("table", FOREVER)
def test_the_owner_is_refused_by_the_guard(database: str, table: str) -> None:
    with session(database, "owner") as connection:
        connection.execute(A_RUN)  # the ledger's guard looks at the rows that are to go
        for command in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(psycopg.errors.RestrictViolation, match="refused"):
                connection.execute(command)


# Each does what it is for -------------------------------------------------------------------------


async def test_the_enqueuer_enqueues_by_every_client_and_from_sql(
    database: str, connection: Connection
) -> None:
    publish_noop(connection)
    settings = load_settings(database_url=as_login(database, "enqueuer"))
    with SyncQueueClient(without_ticker, settings) as client:
        assert client.enqueue("noop", queueing_lock="once").enqueued
        assert not client.enqueue("noop", queueing_lock="once").enqueued
    async with QueueClient(without_ticker, settings) as queue:
        assert (await queue.enqueue("noop")).enqueued
    with session(database, "enqueuer") as own:
        own.execute("SELECT queue_worker.enqueue('noop', reason => 'by hand')")
    rows = connection.execute(
        "SELECT DISTINCT task_name, status::text, queue_worker_enqueued_by FROM procrastinate_jobs"
    ).fetchall()
    assert rows == [("noop", "todo", login("enqueuer"))]
    audited = connection.execute("SELECT role, reason FROM queue_worker.audit_log").fetchall()
    assert audited == [(login("enqueuer"), "by hand")]
    events = connection.execute("SELECT count(*) FROM procrastinate_events").fetchone()
    assert events == (3,)


def publish_noop(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO queue_worker.job (name, description, schedule, queue, priority, timeout,"
        " max_attempts, restartable, owner, runbook, registry_digest)"
        " VALUES ('noop', '', 'manual', 'default', 0, '1 s', 1, false, '', '', 'x')"
    )


@pytest.mark.parametrize("table", ["procrastinate_jobs", "procrastinate_events", "pg_proc"])
def test_a_temporary_table_of_the_enqueuer_leads_nothing_astray(
    database: str, connection: Connection, table: str
) -> None:
    """Its trigger would run with the rights of the owner."""
    publish_noop(connection)
    with session(database, "enqueuer") as own:
        own.execute(
            """
            CREATE FUNCTION pg_temp.take_over() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'taken over as %', current_user; END $$
            """
        )
        columns = (
            "LIKE pg_catalog.pg_proc"
            if table == "pg_proc"
            else "id bigint, job_id bigint, type text"
        )
        own.execute(f"CREATE TEMPORARY TABLE {table} ({columns})")
        own.execute(
            f"CREATE TRIGGER t BEFORE INSERT ON pg_temp.{table} EXECUTE FUNCTION pg_temp.take_over()"
        )
        own.execute("SET search_path = pg_temp, public")
        own.execute("SELECT queue_worker.enqueue('noop')")
        own.execute("SELECT queue_worker.enqueue_jobs('[{\"job\": \"noop\", \"queue\": \"q\", \"priority\": 0, \"args\": {}}]')")  # fmt: skip
        own.execute("SELECT queue_worker.enqueue_job('noop', 'q', 0, NULL, NULL, '{}', NULL, NULL, NULL)")  # fmt: skip
        assert own.execute(f"SELECT count(*) FROM pg_temp.{table}").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (3,)
    assert connection.execute("SELECT count(*) FROM procrastinate_events").fetchone() == (3,)


def test_the_rights_of_a_worker_are_compared_without_a_compilation(connection: Connection) -> None:
    """Every worker does so at its start; above jit_above_cost it took most of a second."""
    (row,) = connection.execute(
        f"EXPLAIN (FORMAT JSON) {statement('check_missing_privileges')}"
    ).fetchall()
    assert row[0][0]["Plan"]["Total Cost"] < 10_000


# Statements of migrations and operators, and of the demo, which is its own database administrator.
OF_OTHERS = (
    "demo_", "create_migration_ledger", "record_migration", "record_fingerprints", "cancel_job",
    "pause_", "resume_", "read_audit_anchor", "release_lock_key", "requeue_lost", "retry_job",
    "retire_job",
    "retention_undo_plan", "testing_", "verify_audit",
)  # fmt: skip


def test_the_worker_may_carry_out_every_statement_of_ours(database: str) -> None:
    """The server checks the rights before it runs a plan; rare statements are rarely run."""
    refused = []
    with session(database, "worker") as own:
        if own.info.server_version < 160_000:
            pytest.skip("EXPLAIN (GENERIC_PLAN) came with PostgreSQL 16")
        for path in sorted((sql_root() / "queries").glob("*.sql")):
            text, _ = positional_statement(path.stem)
            try:
                own.execute(b"EXPLAIN (GENERIC_PLAN) " + text.encode())
            except InsufficientPrivilege as error:
                refused.append((path.stem, str(error)))
            except psycopg.errors.Error:
                pass  # a parameter whose type only the driver knows
    assert [r for r in refused if not r[0].startswith(OF_OTHERS)] == []


def test_every_first_party_job_runs_as_the_worker(database: str, connection: Connection) -> None:
    now = datetime.now(UTC)
    add_events(connection, [(now - timedelta(days=d), "c1", "l1", "view", None) for d in range(9)])
    add_request(connection, "c2")
    settings = load_settings(
        database_url=as_login(database, "worker"),
        content_generator="queue_worker.demo.template_generator:generate",
    )
    for job in first_party:
        carry_out(job, settings, **({} if job.args is None else job.args().model_dump()))
    made = connection.execute("SELECT count(*) FROM content_pipeline.regeneration_output")
    assert made.fetchone() == (1,)
    with session(database, "worker") as own:
        own.execute("SELECT content_pipeline.make_event_partitions('2031-01-01', 2)")


@pytest.mark.parametrize("view", ["running", "queue_depth", "blocked", "job_health", "role_matrix"])
def test_the_reader_reads_every_view(database: str, view: str) -> None:
    with session(database, "reader") as own:
        own.execute(f"SELECT * FROM queue_worker.{view}")


# The script ---------------------------------------------------------------------------------------


def test_making_the_roles_again_changes_nothing_and_takes_back_what_was_added(
    connection: Connection,
) -> None:
    before = read_matrix(connection)
    connection.execute(f"GRANT UPDATE ON queue_worker.run TO {role('worker')}")
    assert read_matrix(connection) != before
    assert make_roles(connection) == {part: role(part) for part in PARTS}
    assert read_matrix(connection) == before


def test_what_a_migration_makes_anew_is_granted_again(connection: Connection) -> None:
    before = read_matrix(connection)
    connection.execute("DROP VIEW queue_worker.running")
    connection.execute("DROP FUNCTION queue_worker.audit")
    assert {m.name for m in migrate(connection)} == {"functions/audit.sql", "views/running.sql"}
    assert read_matrix(connection) == before


def test_a_member_of_the_owner_migrates(database: str, connection: Connection) -> None:
    before = read_matrix(connection)
    connection.execute("DROP VIEW queue_worker.running")
    with session(database, "owner") as own:
        assert [m.name for m in migrate(own)] == ["views/running.sql"]
    assert read_matrix(connection) == before
    test_everything_belongs_to_the_owner(connection)


def test_without_roles_a_migration_grants_nothing(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        migrate(connection)
        assert read_roles(connection) == {}


def test_the_logins_of_the_page_are_members_of_a_role(connection: Connection) -> None:
    """Under the names of the tests, and not for good: roles belong to the cluster."""
    statements = [
        s
        for block in read_blocks(REPOSITORY / "docs" / "SECURITY.md", "sql")
        for s in block.statements
    ]
    with connection.transaction(force_rollback=True):
        for statement in statements:
            connection.execute(statement.replace("queue_worker_", f"{PREFIX}_").encode())
        members = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname LIKE 'app\\_%%'"
            " AND (pg_has_role(oid, %s, 'MEMBER') OR pg_has_role(oid, %s, 'MEMBER'))",
            [role("worker"), role("enqueuer")],
        ).fetchall()
    assert len(members) == len(statements) == 2


@usual_names
@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_runs_the_script_as_well(database: str, connection: Connection) -> None:
    before = read_matrix(connection)
    script = sql_root() / "roles.sql"
    done = subprocess.run(
        ["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", str(script)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert read_matrix(connection) == before
