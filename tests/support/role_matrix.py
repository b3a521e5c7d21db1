"""What the database really grants, as the table of docs/SECURITY.md.

.venv/bin/python -m tests.support.role_matrix     renews the page
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.support.postgres import temporary_server
from tests.support.roles import make_test_roles, role

PAGE = Path(__file__).resolve().parents[2] / "docs" / "SECURITY.md"
BEGIN, END = "<!-- matrix: begin -->\n", "<!-- matrix: end -->\n"
PARTS = ("worker", "enqueuer", "reader")

# Months have tables of their own; another test sees to it that nobody has any right on one.
_OBJECTS = """
    SELECT 0, 'schema', oid, nspname::text FROM pg_namespace
     WHERE nspname IN ('queue_worker', 'content_pipeline')
    UNION ALL
    SELECT 1, CASE relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END, oid,
           oid::regclass::text
      FROM pg_class
     WHERE relkind IN ('r', 'p', 'v', 'S') AND (NOT relispartition OR relname LIKE '%default')
       AND (relnamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
            OR relname LIKE 'procrastinate\\_%')
    UNION ALL
    SELECT 2, 'function', oid, pronamespace::regnamespace || '.' || proname
      FROM pg_proc
     WHERE pronamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
       AND prorettype <> 'trigger'::regtype
     ORDER BY 1, 2, 4
"""
_ACTIONS = {
    "schema": ("USAGE", "CREATE"),
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
    "view": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "sequence": ("USAGE", "SELECT", "UPDATE"),
    "function": ("EXECUTE",),
}


def read_matrix(connection: psycopg.Connection[Any]) -> str:
    """The table, as the database has it."""
    lines = ["| object | | worker | enqueuer | reader |", "|---|---|---|---|---|"]
    for _, kind, oid, name in connection.execute(_OBJECTS).fetchall():
        cells = (_allowed(connection, role(part), kind, oid) for part in PARTS)
        lines.append(f"| `{name}` | {kind} | {' | '.join(cells)} |")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def written_matrix() -> str:
    """The table, as the page has it."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def _allowed(connection: psycopg.Connection[Any], name: str, kind: str, oid: int) -> str:
    family = "table" if kind == "view" else kind
    found = [
        action
        for action in _ACTIONS[kind]
        if _one(connection, f"SELECT has_{family}_privilege(%s, %s::oid, %s)", name, oid, action)
    ]
    if kind == "table" and "SELECT" not in found:
        hidden = _one(
            connection,
            "SELECT string_agg(attname, ', ' ORDER BY attnum) FILTER (WHERE NOT allowed)"
            " FROM (SELECT attname, attnum, has_column_privilege(%s, attrelid, attnum, 'SELECT') AS allowed"
            "         FROM pg_attribute WHERE attrelid = %s::oid AND attnum > 0 AND NOT attisdropped) AS c"
            " HAVING bool_or(allowed)",
            name, oid,
        )  # fmt: skip
        found += [f"SELECT without {hidden}"] if hidden else []
    return ", ".join(found)


def _one(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:
    row = connection.execute(query, values).fetchone()
    return row and row[0]


def main() -> None:
    with temporary_server("18") as server, connect(server.dsn(), name="matrix") as connection:
        migrate(connection)
        make_test_roles(connection)
        before, _, rest = PAGE.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(before + BEGIN + read_matrix(connection) + END + after)


if __name__ == "__main__":
    main()
