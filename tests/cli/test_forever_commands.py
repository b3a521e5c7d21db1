"""No command deletes a row of what is kept for ever."""

from __future__ import annotations

import pytest
from typer.main import get_group

from queue_worker.cli.commands import app
from tests.cli.conftest import Command
from tests.support.retention import KEPT_TABLES, Connection, add_history, add_signal, rows_kept

REGISTRY = "queue_worker.jobs:registry"
WHY = ("--actor", "ada", "--reason", "a test")
COMMANDS = (
    ("migrate",),
    ("check",),
    ("jobs",),
    ("status",),
    ("fleet",),
    ("runs",),
    ("failures",),
    ("show", "1.1"),
    ("top", "--once"),
    ("timeline", "--output", "-"),
    ("alerts",),
    ("audit",),
    ("audit", "verify"),
    ("pause", "insight_engine", *WHY),
    ("resume", "insight_engine", *WHY),
    ("cancel", "1", *WHY),
    ("retry", "1", *WHY),
    ("requeue-lost", *WHY),
    ("release-lock", "retention", *WHY),
    ("retire", "insight_engine", *WHY),
    ("retention", "policies"),
    ("retention", "plan"),
    ("retention", "apply", "1"),
    ("retention", "show", "1"),
    ("retention", "undo", "1", "--reason", "a test"),
    ("run", "retention", "--inline"),
    ("run", "analytics_aggregator", "--inline"),
    ("run", "signal_generator", "--inline"),
    ("run", "insight_engine", "--inline"),
    ("run", "regeneration_worker", "--inline"),
    ("run", "retry_executor", "--inline"),
    ("run", "queue_worker.make_partitions", "--inline"),
    ("enqueue", "retention"),
)


@pytest.fixture
def history(connection: Connection) -> dict[str, set[str]]:
    add_history(connection)
    add_signal(connection, "1926-01-01")
    return rows_kept(connection)


def test_no_command_deletes_a_row(
    history: dict[str, set[str]], connection: Connection, command: Command, database: str
) -> None:
    for arguments in COMMANDS:
        command(*arguments, DATABASE_URL=database, QUEUE_WORKER_APP=REGISTRY)
    after = rows_kept(connection)
    for table in KEPT_TABLES:
        assert history[table] <= after[table]
    deleted = "SELECT count(*) FROM content_pipeline.analytics_signal WHERE deleted_at IS NOT NULL"
    assert connection.execute(deleted).fetchone() == (1,)  # so the commands were at work


def test_the_list_of_commands_is_complete() -> None:
    """Those that run until they are stopped are left out."""
    commands = set(get_group(app).commands)
    assert commands == {arguments[0] for arguments in COMMANDS} | {"worker", "demo"}
