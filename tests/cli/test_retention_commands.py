"""`queue-worker retention`: what it prints, what it refuses, and that a dry run touches nothing."""

from __future__ import annotations

import json

import pytest

from queue_worker.database import connect
from queue_worker.jobs import analytics_aggregator
from queue_worker.settings import load_settings
from tests.cli.conftest import Answer, Command, contents
from tests.support.content import add_events, carry_out
from tests.support.retention import Connection, add_signal, midnight, moments, view


@pytest.fixture
def call(command: Command, connection: Connection, database: str) -> Command:
    """The command, on a database with an event and a signal that are too old."""
    add_events(connection, [view(midnight(100)), view(midnight(1))])
    carry_out(analytics_aggregator.job, load_settings(database_url=database))
    add_signal(connection, "2020-01-01")

    def run(*arguments: str, **environment: str) -> Answer:
        return command(*arguments, **{"DATABASE_URL": database, **environment})

    return run


def test_two_keys(call: Command, connection: Connection) -> None:
    made = call("retention", "plan")
    assert made.code == 0
    assert "`queue-worker retention apply 1` does it" in made.out
    assert len(moments(connection)) == 2

    applied = json.loads(call("retention", "apply", "1", "--reason", "it's fine", "--json").out)
    assert {step["policy"]: step["removed"] for step in applied["steps"] if step["rows"]} == {
        "analytics_event": 1,
        "analytics_signal": 1,
    }
    assert applied["finished_at"]
    assert moments(connection) == [midnight(1)]
    assert connection.execute(
        "SELECT reason FROM queue_worker.audit_log WHERE action = 'retention.applied'"
    ).fetchall() == [("it's fine",)]
    call("retention", "apply", "1").assert_one_error(65, "applied already", "retention plan")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["plan", "--dry-run"], {}),
        (["plan"], {"JOB_DRY_RUN": "1"}),
        (["apply", "1", "--dry-run"], {}),
        (["apply", "1"], {"JOB_DRY_RUN": "1"}),
        (["show", "1"], {}),
        (["policies"], {}),
    ],
)
def test_a_dry_run_shows_and_touches_nothing(
    call: Command, database: str, arguments: list[str], environment: dict[str, str]
) -> None:
    call("retention", "plan")
    before = contents(database)
    answer = call("retention", *arguments, **environment)
    assert answer.code == 0
    assert "analytics_event" in answer.out
    assert contents(database) == before


def test_bad_input_is_one_clear_error(call: Command, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()  # what the fixture's job has logged
    call("retention", "apply", "7").assert_one_error(65, "Plan 7 does not exist")
    call("retention", "undo", "7", "--reason", "x").assert_one_error(65, "was not applied")
    call("retention", "show", "7").assert_one_error(65, "Plan 7")
    for wrong in ("0", "seven", str(2**63)):
        assert call("retention", "apply", wrong).code == 2
    call("jobs", RETENTION_SCHEDULE="at night").assert_one_error(78, "RETENTION_SCHEDULE")
    call("retention", "plan", RETENTION_LEDGER_DAYS="30").assert_one_error(
        78, "RETENTION_LEDGER_DAYS"
    )
    call("retention", "plan", RETENTION_FINISHED_DAYS="100", RETENTION_LEDGER_DAYS="95")\
        .assert_one_error(78, "run_ledger")  # fmt: skip


def test_while_another_is_at_work_it_says_so(call: Command, database: str) -> None:
    call("retention", "plan")
    with connect(database, name="other") as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('queue_worker.retention', 0))")
        call("retention", "apply", "1").assert_one_error(75, "Another retention")


def test_a_plan_of_other_settings_is_refused(call: Command) -> None:
    call("retention", "plan")
    call("retention", "apply", "1", RETENTION_SUCCEEDED_DAYS="5").assert_one_error(
        65, "policies that have changed"
    )


def test_migrate_publishes_the_policies(command: Command, empty_database: str) -> None:
    assert command("migrate", DATABASE_URL=empty_database).code == 0
    shown = command("retention", "policies", "--json", DATABASE_URL=empty_database)
    policies = {row["name"]: row["keep"] for row in json.loads(shown.out)}
    assert policies["analytics_event"] == 90 * 86_400
    assert policies["published_output"] is None
