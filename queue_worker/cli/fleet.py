"""`queue-worker fleet`: several Postgres servers, each with queues of its own, in one table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import typer

from queue_worker.cli.invocation import AsJson, Invocation, readable_database
from queue_worker.cli.output import print_json, print_table
from queue_worker.database import describe_target
from queue_worker.errors import QueueWorkerError
from queue_worker.governance import reports
from queue_worker.governance.checks import explain_refusal
from queue_worker.settings import Settings

_COLUMNS = ("server", "state", "workers", "running", "due", "later", "oldest_due_for", "problem")
_NOT_ALL = 69  # what it exits with where a server does not answer


def fleet(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the servers of `DATABASE_URL` and `QUEUE_WORKER_FLEET`; exits with 69 if one is down."""
    invocation: Invocation = context.obj
    servers = invocation.settings().servers
    with ThreadPoolExecutor(len(servers)) as pool:  # one that is down must not hold up the others
        rows = list(pool.map(_look_at, servers))
    if as_json:
        print_json(rows)
    else:
        print_table("Servers", _COLUMNS, rows)
    raise typer.Exit(0 if all(row["state"] == "up" for row in rows) else _NOT_ALL)


def _look_at(settings: Settings) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(_COLUMNS)
    row["server"] = describe_target(settings.dsn)
    try:
        return row | {"state": "up"} | _read(settings)
    except psycopg.Error as error:
        return row | {"state": "down", "problem": str(explain_refusal(error))}
    except QueueWorkerError as error:
        return row | {"state": "down", "problem": str(error)}


def _read(settings: Settings) -> dict[str, Any]:
    with readable_database(settings) as connection:
        workers = reports.list_workers(connection)
        queues = reports.list_queue_depth(connection)
    waits = [queue["oldest_due_for"] for queue in queues if queue["oldest_due_for"]]
    return {
        "workers": sum(worker["state"] == "alive" for worker in workers),
        "running": sum(worker["runs"] for worker in workers),
        "due": sum(queue["due"] for queue in queues),
        "later": sum(queue["later"] for queue in queues),
        "oldest_due_for": max(waits, default=None),
    }
