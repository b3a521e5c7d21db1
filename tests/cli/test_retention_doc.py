"""docs/RETENTION.md: every command and every statement runs, in the order of the page."""

from __future__ import annotations

import re
import shlex

from queue_worker.jobs import analytics_aggregator
from queue_worker.settings import load_settings
from tests.cli.conftest import Command
from tests.support.blocks import read_blocks
from tests.support.content import add_events, carry_out
from tests.support.processes import REPOSITORY
from tests.support.retention import Connection, add_history, add_signal, midnight, moments, view

PAGE = REPOSITORY / "docs" / "RETENTION.md"
BLOCKS = read_blocks(PAGE, "sh", "sql")
SETTINGS = re.compile(r"RETENTION_[A-Z_]+")


def test_the_page_works_as_it_is_written(
    command: Command, connection: Connection, database: str
) -> None:
    add_history(connection)
    add_events(connection, [view(midnight(200)), view(midnight(1))])
    carry_out(analytics_aggregator.job, load_settings(database_url=database))
    add_signal(connection, "1926-01-01")
    ran = 0
    for block in BLOCKS:
        for text in block.statements if block.language == "sql" else block.lines:
            if block.language == "sql":
                assert connection.execute(text).fetchall(), text
            else:
                run_line(command, text, database)
            ran += 1
    assert ran > 15
    assert moments(connection) == [midnight(1)]


def run_line(command: Command, line: str, database: str) -> None:
    words = shlex.split(line)
    given = dict(word.split("=", 1) for word in words if SETTINGS.match(word))
    assert words[len(given)] == "queue-worker"
    answer = command(*words[len(given) + 1 :], DATABASE_URL=database, **given)
    assert answer.code == 0, (line, answer)
    if "jobs" in words:
        assert given["RETENTION_SCHEDULE"] in answer.out


def test_the_page_names_settings_that_there_are() -> None:
    known = set(
        re.findall(r"`(RETENTION_[A-Z_]+)`", (REPOSITORY / "docs/ENVIRONMENT.md").read_text())
    )
    assert set(SETTINGS.findall(PAGE.read_text())) == known
