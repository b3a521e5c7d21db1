"""Schemas of another name, from the first migration on; and names that are refused, with nothing done."""

from __future__ import annotations

import json
import subprocess

import psycopg
import pytest

from tests.cli.conftest import contents
from tests.support.postgres import execute
from tests.support.processes import call, environment

OURS, CONTENT = "shop", "shop_content"
# Where a usual name may still stand: names of jobs and parameters, and the program itself.
NO_SCHEMA = (
    r"queue_worker\.(deliver_alerts|make_partitions|validation|role_prefix|guard_\w+)"
    r"|(by|of|than|a) queue_worker\M|queue_worker_\w+"
)
LEFT = """
    WITH made (name, text) AS (
        SELECT oid::regprocedure::text, concat(prosrc, pg_get_function_sqlbody(oid), proconfig) FROM pg_proc
        UNION ALL SELECT oid::regclass::text, pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v'
        UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger
        UNION ALL SELECT adrelid::regclass::text, pg_get_expr(adbin, adrelid) FROM pg_attrdef
        UNION ALL SELECT evtname, evtfoid::regprocedure::text FROM pg_event_trigger
        UNION ALL SELECT objoid::text, description FROM pg_description
        UNION ALL SELECT nspname, '' FROM pg_namespace
    )
    SELECT name, text FROM made
     WHERE regexp_replace(name || ' ' || text, %s, '', 'g') ~ 'queue_worker|content_pipeline'
"""


def told(dsn: str, ours: str, content: str = CONTENT) -> dict[str, str]:
    return environment(dsn, QUEUE_WORKER_SCHEMA=ours, QUEUE_WORKER_CONTENT_SCHEMA=content)


def test_nothing_in_the_database_has_a_usual_name(empty_database: str) -> None:
    env = told(empty_database, OURS)
    assert call(env, "migrate").returncode == 0
    with psycopg.connect(empty_database, autocommit=True) as connection:
        assert connection.execute(LEFT, (NO_SCHEMA,)).fetchall() == []
        there = "SELECT to_regclass('shop.run') IS NOT NULL, to_regclass('shop_content.analytics_event') IS NOT NULL"
        assert connection.execute(there).fetchone() == (True, True)
        connection.execute(
            "CREATE OR REPLACE VIEW shop.running AS SELECT * FROM shop.running LIMIT 1"
        )
    found = json.loads(call(env, "check", "--json").stdout)
    (edited,) = (r for r in found if not r["ok"] and r["name"] == "functions")
    assert "shop.running" in edited["message"]
    assert call(env, "migrate").stdout.split()[:2] == ["applied", "views/running.sql"]
    assert call(env, "migrate", "--check").returncode == 0


@pytest.mark.parametrize(
    ("ours", "content", "variable"),
    [
        ('shop"; DROP SCHEMA public; --', CONTENT, "QUEUE_WORKER_SCHEMA"),
        (OURS, "shop.content", "QUEUE_WORKER_CONTENT_SCHEMA"),
        (OURS, OURS, "QUEUE_WORKER"),
    ],
)
def test_a_name_that_can_be_none_is_refused(
    empty_database: str, ours: str, content: str, variable: str
) -> None:
    before = contents(empty_database)
    assert_refused(call(told(empty_database, ours, content), "migrate"), variable)
    assert contents(empty_database) == before


def test_a_first_migration_refuses_what_is_not_free(empty_database: str) -> None:
    execute(
        empty_database, "CREATE SCHEMA taken", "CREATE SCHEMA shop", "CREATE TABLE shop.goods ()"
    )
    before = contents(empty_database)
    assert_refused(call(told(empty_database, "order"), "migrate"), "'order'", "word of SQL")
    assert_refused(call(told(empty_database, OURS, "taken"), "migrate"), "'taken'", "there already")
    assert_refused(
        call(told(empty_database, "shop"), "migrate"), "'shop'", "holds something already"
    )
    assert contents(empty_database) == before


def test_a_queue_has_one_installation(database: str) -> None:
    before = contents(database)
    for command in (["migrate"], ["status"], ["worker"]):
        assert_refused(call(told(database, OURS), *command), "Set QUEUE_WORKER_SCHEMA to")
    assert contents(database) == before


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert all(word in done.stderr for word in words), done.stderr
