"""docs/SQL.md: functions and views for people, as their own comments describe them.

python -m tests.support.sql_page    writes the page anew
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.support.postgres import temporary_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "SQL.md"
_HEAD = """\
<!-- Made from the comments in sql/: python -m tests.support.sql_page -->

# SQL

The functions that people and jobs may call, and the views. The other functions of the schema are parts
of these, or are called by the workers. The tables stand in [psql](PSQL.md), with questions and their
queries; who may do what, in [Security](SECURITY.md).
"""

# A function is for people if its comment gives an example, or if it is one of these.
_FUNCTIONS = """
    SELECT p.pronamespace::regnamespace || '.' || p.proname,
           pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
           obj_description(p.oid, 'pg_proc')
      FROM pg_proc AS p
     WHERE p.pronamespace::regnamespace::text = ANY (%(schemas)s)
       AND (obj_description(p.oid, 'pg_proc') LIKE '%%Example:%%' OR p.proname = ANY (%(others)s))
     ORDER BY (p.pronamespace::regnamespace || '.' || p.proname) COLLATE "C"
"""
_VIEWS = """
    SELECT v.oid::regclass::text, obj_description(v.oid, 'pg_class'), a.attname,
           format_type(a.atttypid, a.atttypmod), col_description(v.oid, a.attnum)
      FROM pg_class AS v JOIN pg_attribute AS a ON a.attrelid = v.oid AND a.attnum > 0
     WHERE v.relkind = 'v' AND v.relnamespace::regnamespace::text = ANY (%(schemas)s)
     ORDER BY (v.oid::regclass::text) COLLATE "C", a.attnum
"""
_FACTS = {
    "schemas": ["queue_worker", "content_pipeline"],
    "others": ["assert_fence", "verify_audit", "audit_anchor", "resolve_alert"],
}


def render(connection: psycopg.Connection[Any]) -> str:
    """The page, by a migrated database."""
    functions = connection.execute(_FUNCTIONS, _FACTS).fetchall()
    views = groupby(connection.execute(_VIEWS, _FACTS), key=lambda row: (row[0], row[1]))
    return "\n".join(
        [
            _HEAD,
            "## Functions\n",
            *(_function(*row) for row in functions),
            "## Views\n",
            *(_view(name, comment, list(columns)) for (name, comment), columns in views),
        ]
    )


def _function(name: str, arguments: str, result: str, comment: str) -> str:
    meaning, _, example = comment.partition(" Example: ")
    parts = ",\n    ".join(arguments.split(", "))
    signature = f"{name}(\n    {parts}\n) returns {result}"
    shown = f"\nExample: `{example}`\n" if example else ""
    return f"### `{name}`\n\n{_text(meaning)}\n\n```text\n{signature}\n```\n{shown}"


def _view(name: str, comment: str, columns: list[tuple[str, ...]]) -> str:
    rows = "\n".join(f"| `{c[2]}` | {c[3]} | {_text(c[4])} |" for c in columns)
    return (
        f"### `{name}`\n\n{_text(comment)}\n\n| column | type | meaning |\n|---|---|---|\n{rows}\n"
    )


def _text(comment: str) -> str:
    """No markup is meant."""
    for mark in "\\<*_|":
        comment = comment.replace(mark, f"\\{mark}")
    return comment


def _write() -> None:
    with temporary_server("18") as server, connect(server.dsn(), name="sql page") as connection:
        migrate(connection)
        PAGE.write_text(render(connection))


if __name__ == "__main__":
    _write()
