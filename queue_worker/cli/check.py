"""`queue-worker check`: is this environment fit to run in?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, NoReturn

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.output import out, print_json, print_table, say
from queue_worker.governance.checks import CheckResult, check_environment
from queue_worker.governance.reports import list_overdue
from queue_worker.housekeeping import load_scheduled_jobs

_OK = "[green]ok[/green]     "
_WARNING = "[yellow]warning[/yellow]"
_FAILED = "[bold red]failed[/bold red] "
_STRICT = 78  # what a warning exits with where it is not accepted
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
    strict: Annotated[
        bool, typer.Option("--strict", help="A warning counts as a failure.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check settings, registry and database; exits with 0 only if nothing has failed."""
    invocation: Invocation = context.obj
    if overdue:
        _check_overdue(invocation, as_json=as_json)
    results = list(check_environment(load_scheduled_jobs, invocation.settings))
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            out.print(_label(result), end="  ")
            say(f"{result.name:21}  {result.message}")
    codes = [result.exit_code for result in results]
    if strict and not all(result.ok for result in results):
        codes.append(_STRICT)
    raise typer.Exit(max(codes))


def _label(result: CheckResult) -> str:
    if result.ok:
        return _OK
    return _FAILED if result.severity == "fatal" else _WARNING


def _check_overdue(invocation: Invocation, *, as_json: bool) -> NoReturn:
    with ready_database(invocation.settings()) as connection:
        rows = list_overdue(connection)
    if as_json:
        print_json(rows)
    else:
        print_table("Overdue", _OVERDUE, rows)
    raise typer.Exit(1 if rows else 0)
