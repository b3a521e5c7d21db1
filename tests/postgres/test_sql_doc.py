"""docs/SQL.md says what the functions and views say of themselves."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.sql_page import PAGE, render


def test_the_page_is_that_of_the_database(connection: psycopg.Connection[Any]) -> None:
    assert PAGE.read_text() == render(connection), "stale: python -m tests.support.sql_page"
