"""What our schemas may be called, and what of a statement that changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from queue_worker.errors import SettingsError
from queue_worker.schemas import SchemaNames, check_schema_name, rename, run_prefix
from queue_worker.settings import load_settings
from queue_worker.statements import sql_root

OTHER = SchemaNames("ours", "theirs")
FILES = sorted(sql_root().rglob("*.sql"))
# Whatever stands in the SQL files with a usual name and is neither of the schemas.
NO_SCHEMA = re.compile(
    r"queue_worker\.(role_prefix|guard_actor|guard_reason)\b"  # parameters of a session
    r"|queue_worker\.(deliver_alerts|make_partitions|validation)\b"  # jobs
    r"|\b(by|of|a|than) queue_worker\b"  # the program
    r"|queue_worker_\w+"  # columns, indexes and triggers of procrastinate's tables; roles
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM queue_worker.run", "SELECT * FROM ours.run"),
        ("SELECT queue_worker.enqueue(%(job)s)", "SELECT ours.enqueue(%(job)s)"),
        ("'content_pipeline.' || partition", "'theirs.' || partition"),
        ("format('TABLE content_pipeline.%I')", "format('TABLE theirs.%I')"),
        ("to_regclass('queue_worker.role')", "to_regclass('ours.role')"),
        ("'queue_worker'::regnamespace", "'ours'::regnamespace"),
        ("CREATE SCHEMA IF NOT EXISTS queue_worker;", "CREATE SCHEMA IF NOT EXISTS ours;"),
        ("COMMENT ON SCHEMA content_pipeline IS", "COMMENT ON SCHEMA theirs IS"),
        ("hashtextextended('queue_worker.lock.' || key", "hashtextextended('ours.lock.' || key"),
        ("EVENT TRIGGER queue_worker_audit_guards", "EVENT TRIGGER ours_audit_guards"),
        ("LIKE 'run ' || id", "LIKE 'ours run ' || id"),
        ("current_setting('queue_worker.guard_actor')",) * 2,
        ("job = 'queue_worker.deliver_alerts'",) * 2,
        ("j.queue_worker_claimed_at",) * 2,
        ("my_queue_worker.run",) * 2,
        ("other.queue_worker.run",) * 2,
        ("'The version of queue_worker that ran it.'",) * 2,
    ],
)
def test_only_the_names_of_schemas_change(text: str, expected: str) -> None:
    assert rename(text, OTHER) == expected
    assert rename(text, SchemaNames()) == text


def test_no_statement_keeps_a_usual_name() -> None:
    assert len(FILES) > 100
    left = {path.name: NO_SCHEMA.sub("", rename(_without_comments(path), OTHER)) for path in FILES}
    kept = re.compile(r"queue_worker|content_pipeline")
    assert {name for name, text in left.items() if kept.search(text)} == set()


def test_what_is_put_in_is_not_read_again() -> None:
    exchanged = SchemaNames("content_pipeline", "queue_worker")
    text = "queue_worker.run, content_pipeline.analytics_event"
    assert rename(text, exchanged) == "content_pipeline.run, queue_worker.analytics_event"


@given(st.text(max_size=70))
@example("public")
@example("pg_temp")
@example('x"; DROP SCHEMA public; --')
@example("a.b")
@example("x\n")
@example("a" * 31)
def test_a_name_is_plain_or_refused(name: str) -> None:
    try:
        check_schema_name(name)
    except ValueError:
        with pytest.raises(SettingsError, match="QUEUE_WORKER_SCHEMA is refused"):
            rename("SELECT 1", SchemaNames(ours=name))
        with pytest.raises(SettingsError, match="QUEUE_WORKER_CONTENT_SCHEMA is refused"):
            rename("SELECT 1", SchemaNames(content=name))
    else:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,29}", name)
        assert not name.startswith("pg_")
        assert name != "public"


def test_both_can_not_be_one_schema() -> None:
    with pytest.raises(SettingsError, match="can't be one"):
        rename("SELECT 1", SchemaNames("one", "one"))


def test_a_process_keeps_to_the_names_it_began_with() -> None:
    with pytest.raises(SettingsError, match=r"QUEUE_WORKER_SCHEMA is refused: .* keeps it"):
        load_settings(database_url="postgresql:///x", schema_name="another")


def test_sessions_of_runs_tell_the_installation() -> None:
    assert run_prefix("queue_worker") == "run "
    assert run_prefix("ours") == "ours run "


def _without_comments(path: Path) -> str:
    return re.sub(r"--.*", "", path.read_text())
