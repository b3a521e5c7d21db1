"""docs/PSQL.md: every statement runs, finds something and prints what the page says."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from tests.support.night import night
from tests.support.psql_page import PAGE, Page, statements

TEXT = PAGE.read_text()


def test_every_statement_finds_what_the_page_says(
    connection: psycopg.Connection[Any], database: str
) -> None:
    """In the order of the page, in one session, as somebody who tries them would."""
    connection.execute("SET timezone = 'UTC'")
    with night(connection, database) as now:
        page = Page(connection, now)
        rendered = page.render(TEXT)
    assert list(page.found) == statements()
    assert [text for text, rows in page.found.items() if not rows] == []
    assert rendered == TEXT, "python -m tests.support.psql_page writes it anew"
    actions = connection.execute("SELECT DISTINCT action FROM queue_worker.audit_log").fetchall()
    assert {action for (action,) in actions} == {
        "job.enqueued", "job.cancelled", "suggestion.approved", "suggestion.rejected", "retry.approved", "output.promoted",
    }  # fmt: skip


def test_there_are_twenty_questions_each_with_its_output() -> None:
    questions = TEXT.split("## Enqueue")[0]
    assert re.findall(r"^### (\d+)\. ", questions, flags=re.MULTILINE) == [
        str(number) for number in range(1, 21)
    ]
    assert questions.count("```sql\n") == questions.count("```text\n") >= 20
    assert max(map(len, questions.splitlines())) <= 140


def test_the_list_is_complete(connection: psycopg.Connection[Any]) -> None:
    """Partitions are left out: their number grows with time."""
    listed = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", TEXT, flags=re.MULTILINE)
    rows = connection.execute(
        """
        SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('queue_worker', 'content_pipeline') AND c.relkind IN ('r', 'p', 'v')
           AND NOT c.relispartition
        """
    ).fetchall()
    assert sorted(listed) == sorted(name for (name,) in rows)
