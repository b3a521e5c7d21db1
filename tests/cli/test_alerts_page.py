"""docs/ALERTS.md: its commands and its statement do what the page says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from queue_worker.observability.alerts.addresses import open_sinks
from queue_worker.settings import load_settings
from tests.cli.conftest import Command
from tests.support.alerts import record, tend
from tests.support.blocks import read_blocks
from tests.support.processes import REPOSITORY

PAGE = REPOSITORY / "docs" / "ALERTS.md"
SINKS, PROBE = read_blocks(PAGE, "sh")


def test_the_first_lines_name_two_sinks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.fullmatch(r'(\w+)="(.+)"\n', SINKS.text)
    assert found
    monkeypatch.setenv(found[1], found[2])
    settings = load_settings(database_url="postgresql://localhost/app")
    assert len(open_sinks(settings)) == 2


def test_the_probe_is_content_where_nothing_is_overdue(command: Command, database: str) -> None:
    program, *arguments = PROBE.text.split()
    assert program == "queue-worker"
    assert command(*arguments, DATABASE_URL=database).code == 0


def test_what_was_given_up_is_sent_again(connection: Any) -> None:
    record(connection, "a")
    tend(connection)
    connection.execute(
        "UPDATE queue_worker.alert_delivery SET state = 'given_up', tries = 20, ended_at = now()"
    )
    (block,) = read_blocks(PAGE, "sql")
    (statement,) = block.statements
    assert connection.execute(statement).rowcount == 1
    assert connection.execute(
        "SELECT state, tries FROM queue_worker.alert_delivery WHERE next_try_at <= now()"
    ).fetchall() == [("waiting", 0)]
