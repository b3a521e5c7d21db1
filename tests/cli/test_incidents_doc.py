"""docs/INCIDENTS.md: in each incident, what the page says shows it, stops it and ends it.

Its blocks run in the order of the page, in the state that it is about. What it asks at the end must
say "not over" before the recovery, and "over" after it.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.cli.conftest import Answer, Command
from tests.support.blocks import Block, blocks_in, read_blocks, sections_of
from tests.support.eventually import eventually
from tests.support.incidents import STATES, WITHIN, World
from tests.support.pages import anchors_of
from tests.support.postgres import Server, execute, temporary_server
from tests.support.processes import REPOSITORY
from tests.support.roles import as_login, make_test_roles

PAGE = REPOSITORY / "docs" / "INCIDENTS.md"
TEXT = PAGE.read_text()
STEPS = ["How it shows", "Confirm", "Stop the damage", "Recover", "Over when"]
FOUND = {0, 1}  # what a command may exit with that only looks, unless the page says what
BY_A_SUPERUSER = {"The disk fills"}


# What stands in each step, by symptom.
SECTIONS = {
    title: sections_of(text, r"\*\*(.+?)\.?\*\*") for title, text in sections_of(TEXT).items()
}


class Desk:
    """Somebody who does what the page says."""

    def __init__(self, world: World, command: Command, *, superuser: bool) -> None:
        self._world = world
        self._command = command
        self._dsn = world.dsn if superuser else as_login(world.dsn, "owner")

    def look(self, step: str) -> None:
        """Each of its blocks shows something."""
        said = re.search(r"exits\s+with (\d+)", step)
        expected = {int(said[1])} if said else FOUND
        for line in commands_of(step):
            answer = self._run(line)
            assert answer.code in expected, (line, answer)
            assert answer.out or answer.err, line
        for statement in statements_of(step):
            assert self._ask(statement), statement

    def act(self, step: str) -> None:
        """Each of its blocks does what it should, in their order."""
        for block in blocks_of(step):
            if block.language == "sql":
                for statement in block.statements:
                    self._ask(statement)
                continue
            for line in block.lines:
                answer = self._run(line)
                assert answer.code == 0, (line, answer)

    def is_over(self, step: str) -> bool:
        """By all of its blocks."""
        return all(self._run(line).code == 0 for line in commands_of(step)) and not any(
            self._ask(statement) for statement in statements_of(step)
        )

    def _run(self, line: str) -> Answer:
        program, *arguments = shlex.split(line)
        assert program == "queue-worker", line
        if arguments[0] == "worker":
            self._world.start_worker(*arguments[1:])
            return Answer(0, "", "")
        env = {name: text for name, text in self._world.env.items() if name not in os.environ}
        return self._command(*arguments, **env | {"DATABASE_URL": self._dsn})

    def _ask(self, statement: str) -> list[tuple[object, ...]]:
        with connect(self._dsn, name="psql") as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def blocks_of(text: str) -> list[Block]:
    """Those that are to be run."""
    return [block for block in blocks_in(text) if block.not_run is None]


def commands_of(text: str) -> list[str]:
    return [line for block in blocks_of(text) if block.language == "sh" for line in block.lines]


def statements_of(text: str) -> list[str]:
    return [
        statement
        for block in blocks_of(text)
        if block.language == "sql"
        for statement in block.statements
    ]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("title", [title for title in STATES if title != "Postgres was down"])
def test_the_page_ends_the_incident(
    title: str, database: str, command: Command, tmp_path: Path, stack: ExitStack
) -> None:
    follow(title, World(database, tmp_path, stack), command)


def test_the_page_ends_an_outage_of_postgres(
    command: Command, tmp_path: Path, stack: ExitStack
) -> None:
    server = stack.enter_context(
        temporary_server(os.environ.get("TEST_POSTGRES", "18"), {"fsync": "off"})
    )
    execute(server.dsn(), "CREATE DATABASE app")
    with connect(server.dsn("app"), name="tests") as connection:
        migrate(connection)
        make_test_roles(connection)
    follow("Postgres was down", World(server.dsn("app"), tmp_path, stack), command, server)


def follow(title: str, world: World, command: Command, *more: Server) -> None:
    steps = SECTIONS[title]
    desk = Desk(world, command, superuser=title in BY_A_SUPERUSER)
    with closing(STATES[title](world, *more)) as incident:
        next(incident)
        desk.look(steps["How it shows"])
        desk.look(steps["Confirm"])
        desk.act(steps["Stop the damage"])
        assert not desk.is_over(steps["Over when"]), "what the page asks at its end shows nothing"
        next(incident, None)
    desk.act(steps["Recover"])

    def is_over() -> bool:
        world.look()
        return desk.is_over(steps["Over when"])

    eventually(is_over, within=WITHIN)


def test_every_symptom_has_its_five_steps() -> None:
    assert list(SECTIONS) == list(STATES)
    for title, steps in SECTIONS.items():
        assert list(steps) == STEPS, title
        assert blocks_of(steps["How it shows"]), title
        assert blocks_of(steps["Over when"]), title


def test_every_block_belongs_to_a_step() -> None:
    placed = [
        block.text
        for steps in SECTIONS.values()
        for step in steps.values()
        for block in blocks_of(step)
    ]
    assert placed == [block.text for block in read_blocks(PAGE, "sh", "sql")]


def test_every_symptom_is_in_the_table_at_its_beginning() -> None:
    linked = re.findall(r"\| \[.+?\]\(#(.+?)\) \|$", TEXT, flags=re.MULTILINE)
    assert len(linked) == len(SECTIONS)
    assert set(linked) < anchors_of(PAGE)


def test_the_table_leads_where_each_alert_leads(connection: psycopg.Connection[Any]) -> None:
    led = connection.execute(
        "SELECT type || CASE WHEN storm THEN ':*' ELSE '' END, queue_worker.alert_runbook(type, storm)"
        "  FROM unnest(enum_range(NULL::queue_worker.alert_type)) AS type, unnest('{f,t}'::bool[]) AS storm"
        " WHERE NOT storm OR type = 'JOB_FAILED'"
    ).fetchall()
    for alert, runbook in led:
        page, _, anchor = runbook.partition("#")
        assert page == "docs/INCIDENTS.md"
        assert re.search(
            rf"^\| .*`{re.escape(alert)}`.* \| .*\(#{anchor}\) \|$", TEXT, re.MULTILINE
        ), alert
