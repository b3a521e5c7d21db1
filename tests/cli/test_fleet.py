"""Several servers in one table; one that is down is shown as such, and the exit code says it."""

from __future__ import annotations

import json

import psycopg
from psycopg.conninfo import conninfo_to_dict

from queue_worker.settings import load_settings
from tests.cli.conftest import Command
from tests.support.ledger import enqueue
from tests.support.postgres import free_port


def _url(dsn: str, *, port: object = None, password: str = "canary") -> str:
    parts = conninfo_to_dict(dsn)
    return f"postgresql://postgres:{password}@127.0.0.1:{port or parts['port']}/{parts['dbname']}"


def test_servers_stand_in_one_table(
    ready: Command, database: str, connection: psycopg.Connection
) -> None:
    enqueue(connection)
    answer = ready("fleet", "--json", DATABASE_URL=database)
    assert answer.code == 0
    ((server),) = json.loads(answer.out)
    assert (server["state"], server["due"], server["workers"]) == ("up", 1, 0)


def test_a_server_that_is_down_is_shown_and_the_exit_code_says_so(
    ready: Command, database: str
) -> None:
    gone = _url(database, port=free_port())
    answer = ready("fleet", "--json", QUEUE_WORKER_FLEET=f"{_url(database)} {gone}")
    assert answer.code == 69
    states = [server["state"] for server in json.loads(answer.out)]
    assert states == ["up", "up", "down"]
    assert "canary" not in answer.out + answer.err
    table = ready("fleet", QUEUE_WORKER_FLEET=gone)
    assert table.code == 69
    assert "down" in table.out


def test_a_server_that_is_unfit_leaves_the_others_in_the_table(
    ready: Command, database: str, empty_database: str
) -> None:
    answer = ready("fleet", "--json", QUEUE_WORKER_FLEET=_url(empty_database))
    assert answer.code == 69
    fit, unfit = json.loads(answer.out)
    assert (fit["state"], unfit["state"]) == ("up", "down")
    assert "queue-worker migrate" in unfit["problem"]


def test_an_edited_function_is_the_problem_of_its_server(
    ready: Command, database: str, connection: psycopg.Connection
) -> None:
    connection.execute("ALTER FUNCTION queue_worker.drop_events() SET search_path = public")
    answer = ready("fleet", "--json", DATABASE_URL=database)
    assert answer.code == 69
    ((server),) = json.loads(answer.out)
    assert "drop_events" in server["problem"]


def test_what_is_no_url_is_one_error(ready: Command) -> None:
    answer = ready("fleet", QUEUE_WORKER_FLEET="https://canary@example.org")
    answer.assert_one_error(78, "QUEUE_WORKER_FLEET")
    assert "canary" not in answer.err


def test_the_passwords_of_a_fleet_are_secrets() -> None:
    settings = load_settings(
        database_url="postgresql://localhost/a",
        fleet="postgresql://u:one@h/a postgresql://u:two@h/b",
    )
    assert {"one", "two"} < set(settings.secrets)
