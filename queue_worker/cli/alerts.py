"""`queue-worker alerts`: what is wrong and has not recovered."""

from __future__ import annotations

import typer

from queue_worker.cli.invocation import AsJson, Invocation, readable_database
from queue_worker.cli.output import print_json, print_table
from queue_worker.governance.reports import list_alerts

_COLUMNS = ("type", "subject", "count", "first_seen_at", "last_seen_at", "command", "summary")


def alerts(context: typer.Context, as_json: AsJson = False) -> None:
    """List the alerts that are open, the oldest first."""
    invocation: Invocation = context.obj
    with readable_database(invocation.settings()) as connection:
        rows = list_alerts(connection)
    if as_json:
        print_json(rows)
    else:
        print_table("Alerts", _COLUMNS, rows)
