"""The command line under hostile text: one clear error, or the text as data; the database unharmed."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from tests.cli.conftest import CATALOG, Command
from tests.support.hostile import hostile_text

# What a command line can hold at all: no NUL.
argument = hostile_text.filter(lambda text: "\0" not in text)
LINES = [
    ("enqueue", "{}"),
    ("enqueue", "noop", "--args", "{}"),
    ("enqueue", "noop", "--delay", "{}"),
    ("enqueue", "noop", "--priority", "{}"),
    ("run", "{}"),
    ("run", "noop", "--inline", "--args", "{}"),
    ("runs", "--job", "{}"),
    ("runs", "--outcome", "{}"),
    ("runs", "--limit", "{}"),
    ("--app", "{}", "jobs"),
    ("--app", "{}", "check"),
    ("{}",),
]


@pytest.fixture(scope="module")
def unharmed(standing: str) -> Iterator[None]:
    """All that was there before is there after."""
    with psycopg.connect(standing, autocommit=True) as connection:
        before = connection.execute(CATALOG).fetchall()
        yield
        assert connection.execute(CATALOG).fetchall() == before


@how(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.sampled_from(LINES), text=argument)
def test_hostile_text_is_refused_or_taken_as_data(
    ready: Command, unharmed: None, line: tuple[str, ...], text: str
) -> None:
    answer = ready(*(text if part == "{}" else part for part in line))
    assert "Traceback" not in answer.err
    assert answer.code in {0, 1, 2, 64, 65, 69, 75, 78}
