from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import migrations_path

from queue_worker.database import connect
from queue_worker.errors import DatabaseNewer, MigrationChanged, MigrationFailed, MigrationsPending
from queue_worker.governance import migrations
from queue_worker.governance.migrations import (
    check_migrations,
    migrate,
    plan_migrations,
    require_level,
)


def _catalog(connection: psycopg.Connection) -> list[tuple]:
    return connection.execute(
        """
        SELECT 'column', table_schema, table_name, column_name, data_type, coalesce(column_default, '')
          FROM information_schema.columns WHERE table_schema IN ('public', 'queue_worker', 'content_pipeline')
        UNION ALL SELECT 'index', schemaname, tablename, indexname, indexdef, '' FROM pg_indexes
          WHERE schemaname IN ('public', 'queue_worker', 'content_pipeline')
        UNION ALL SELECT 'function', nspname, proname, pg_get_function_identity_arguments(p.oid), md5(prosrc), ''
          FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
         WHERE nspname IN ('public', 'queue_worker', 'content_pipeline')
        UNION ALL SELECT 'trigger', '', tgrelid::regclass::text, tgname, '', '' FROM pg_trigger WHERE NOT tgisinternal
        ORDER BY 1, 2, 3, 4, 5
        """
    ).fetchall()


@pytest.mark.fault("P32")
def test_migrating_twice_applies_once(empty_database: str) -> None:
    with connect(empty_database, name="test") as connection:
        first = migrate(connection)
        assert len(first) > 30
        assert migrate(connection) == []
        check_migrations(connection)


def test_a_plan_changes_nothing(empty_database: str) -> None:
    with connect(empty_database, name="test") as connection:
        before = _catalog(connection)
        assert plan_migrations(connection)
        with pytest.raises(MigrationsPending, match="queue-worker migrate"):
            check_migrations(connection)
        assert _catalog(connection) == before


def test_ten_processes_at_once_apply_each_file_once(empty_database: str) -> None:
    def run(_: int) -> int:
        with connect(empty_database, name="test") as connection:
            return len(migrate(connection))

    with ThreadPoolExecutor(10) as pool:
        applied = sorted(pool.map(run, range(10)))
    assert applied[:9] == [0] * 9
    assert applied[9] > 30


def test_a_changed_file_is_refused_and_nothing_is_touched(empty_database: str) -> None:
    with connect(empty_database, name="test") as connection:
        migrate(connection)
        connection.execute(
            "UPDATE queue_worker.migration SET checksum = 'x' WHERE name = 'migrations/0001_queue_worker.sql'"
        )
        connection.execute("DELETE FROM queue_worker.migration WHERE name LIKE 'functions/%'")
        with pytest.raises(MigrationChanged, match="Restore the file"):
            migrate(connection)
        left = connection.execute(
            "SELECT count(*) FROM queue_worker.migration WHERE name LIKE 'functions/%'"
        )
        assert left.fetchone() == (0,)


def test_a_changed_function_is_applied_again(empty_database: str) -> None:
    with connect(empty_database, name="test") as connection:
        migrate(connection)
        connection.execute(
            "UPDATE queue_worker.migration SET checksum = 'x' WHERE name = 'functions/audit.sql'"
        )
        assert [m.name for m in migrate(connection)] == ["functions/audit.sql"]


@pytest.mark.fault("F40")
@pytest.mark.parametrize(
    ("drop", "name"),
    [
        ("DROP FUNCTION queue_worker.assert_fence", "functions/assert_fence.sql"),
        ("DROP FUNCTION content_pipeline.rate_z_score", "functions/rate_z_score.sql"),
        ("DROP VIEW queue_worker.blocked", "views/blocked.sql"),
    ],
)
def test_a_function_or_view_that_is_gone_is_refused_and_made_again(
    connection: psycopg.Connection, drop: str, name: str
) -> None:
    before = _catalog(connection)
    connection.execute(drop)
    with pytest.raises(MigrationsPending, match=name):
        check_migrations(connection)
    assert [m.name for m in migrate(connection)] == [name]
    check_migrations(connection)
    assert _catalog(connection) == before


def test_a_newer_database_is_refused(empty_database: str) -> None:
    with connect(empty_database, name="test") as connection:
        migrate(connection)
        connection.execute(
            "INSERT INTO queue_worker.migration VALUES ('migrations/9999_later.sql', 'x', 'applied', now(), 'me', '9')"
        )
        with pytest.raises(DatabaseNewer, match=r"9999_later\.sql"):
            migrate(connection)


LATER = {
    "a migration": "INSERT INTO queue_worker.migration VALUES ('migrations/9999_later.sql', 'x', 'applied', now(), 'me', '9')",
    "a function": "UPDATE queue_worker.migration SET checksum = 'x', version = '9.0' WHERE name = 'functions/rate_z_score.sql'",
    "procrastinate's": "INSERT INTO queue_worker.migration VALUES ('procrastinate/09.00.00_01_pre_x.sql', 'x', 'applied', now(), 'me', '0.1.0')",
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_a_newer_database_that_breaks_nothing_is_worked_on_but_never_migrated(
    connection: psycopg.Connection, later: str
) -> None:
    assert require_level(connection).newer == []
    connection.execute(later)
    assert len(require_level(connection).newer) == 1
    for refuses in (migrate, check_migrations, plan_migrations):
        with pytest.raises(DatabaseNewer):
            refuses(connection)


def test_a_newer_database_may_lack_what_only_this_version_needs(
    connection: psycopg.Connection,
) -> None:
    connection.execute(LATER["a migration"])
    connection.execute("DROP VIEW queue_worker.blocked")
    connection.execute("DELETE FROM queue_worker.migration WHERE name = 'views/blocked.sql'")
    assert require_level(connection).newer == ["migrations/9999_later.sql"]


@pytest.mark.parametrize(
    "later", ["migrations/9999_breaking_later.sql", "procrastinate/09.00.00_50_post_x.sql"]
)
def test_a_newer_database_that_breaks_this_version_is_refused(
    connection: psycopg.Connection, later: str
) -> None:
    connection.execute(
        "INSERT INTO queue_worker.migration VALUES (%s, 'x', 'applied', now(), 'me', '9')", [later]
    )
    with pytest.raises(DatabaseNewer, match=later):
        require_level(connection)


def test_an_older_database_is_refused_although_a_later_version_was_there(
    connection: psycopg.Connection,
) -> None:
    connection.execute(LATER["a migration"])
    connection.execute("DELETE FROM queue_worker.migration WHERE name LIKE 'migrations/0012%'")
    with pytest.raises(MigrationsPending, match="0012_trace"):
        require_level(connection)


def test_a_file_that_fails_is_rolled_back_whole(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = migrations.Migration(
        "migrations/0000_broken.sql", "CREATE TABLE half_way (); SELECT 1/0;"
    )
    own_files = migrations._own_files
    monkeypatch.setattr(migrations, "_own_files", lambda: [broken, *own_files()])
    with connect(empty_database, name="test") as connection:
        with pytest.raises(MigrationFailed, match="division by zero"):
            migrate(connection)
        assert connection.execute("SELECT to_regclass('half_way')").fetchone() == (None,)
        assert connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone() != (None,)
        monkeypatch.undo()
        assert migrate(connection)
        check_migrations(connection)


@pytest.mark.fault("P32")
@pytest.mark.parametrize(
    "last",
    [path.name for path in sorted(Path(migrations_path).glob("*.sql")) if path.name >= "02.14"],
)
def test_an_existing_procrastinate_database_is_adopted(
    empty_database: str, last: str, database: str
) -> None:
    """From every version since 2.14.1, the way is the same as from an empty database."""
    with connect(empty_database, name="test") as connection:
        for path in sorted(Path(migrations_path).glob("*.sql")):
            if path.name <= last:
                connection.execute(path.read_text())
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'waits')"
        )
        migrate(connection)
        check_migrations(connection)
        kept = connection.execute("SELECT task_name FROM procrastinate_jobs").fetchall()
        assert kept == [("waits",)]
        adopted = {
            name
            for (name,) in connection.execute(
                "SELECT name FROM queue_worker.migration WHERE how = 'adopted'"
            )
        }
        assert f"procrastinate/{last}" in adopted
        tables = {row[2:4] for row in _catalog(connection) if row[0] == "column"}
    with connect(database, name="test") as connection:
        assert tables == {row[2:4] for row in _catalog(connection) if row[0] == "column"}


def test_too_old_a_procrastinate_database_is_refused(empty_database: str) -> None:
    with connect(empty_database, name="test") as connection:
        connection.execute("CREATE TABLE procrastinate_jobs (id bigserial PRIMARY KEY)")
        with pytest.raises(MigrationFailed, match=r"2\.14\.1"):
            migrate(connection)


def test_every_table_column_and_view_has_a_comment(connection: psycopg.Connection) -> None:
    bare = connection.execute(
        """
        SELECT c.oid::regclass::text, a.attname
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE n.nspname IN ('queue_worker', 'content_pipeline') AND c.relkind IN ('r', 'p', 'v', 'm')
           AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)
        """
    ).fetchall()
    assert bare == []


def test_every_function_has_a_comment(connection: psycopg.Connection) -> None:
    bare = connection.execute(
        """
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname IN ('queue_worker', 'content_pipeline') AND obj_description(p.oid) IS NULL
        """
    ).fetchall()
    assert bare == []
