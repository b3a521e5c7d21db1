"""`queue-worker check`: is this environment fit to run in?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, NoReturn

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.output import out, print_json, print_table, say
from queue_worker.governance.checks import check_environment
from queue_worker.governance.reports import list_overdue

_OK = "[green]ok[/green]    "
_FAILED = "[bold red]failed[/bold red]"
_OVERDUE = ("job", "due_at", "overdue_for", "schedule", "owner", "runbook", "because")


def check(
    context: typer.Context,
    overdue: Annotated[
        bool,
        typer.Option(
            "--overdue",
            help="Only: is a scheduled job overdue? For cron or a probe, with no worker needed.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check settings, registry, server and migrations; exits with 0 only if all are well."""
    invocation: Invocation = context.obj
    if overdue:
        _check_overdue(invocation, as_json=as_json)
    results = list(check_environment(invocation.settings))
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            out.print(_OK if result.ok else _FAILED, end="  ")
            say(f"{result.name:10}  {result.message}")
    raise typer.Exit(max(result.exit_code for result in results))


def _check_overdue(invocation: Invocation, *, as_json: bool) -> NoReturn:
    with ready_database(invocation.settings()) as connection:
        rows = list_overdue(connection)
    if as_json:
        print_json(rows)
    else:
        print_table("Overdue", _OVERDUE, rows)
    raise typer.Exit(1 if rows else 0)
