"""`queue-worker check`: is this environment fit to run in?"""

from __future__ import annotations

from dataclasses import asdict

import typer

from queue_worker.cli.invocation import AsJson, Invocation
from queue_worker.cli.output import out, print_json, say
from queue_worker.governance.checks import check_environment

_OK = "[green]ok[/green]    "
_FAILED = "[bold red]failed[/bold red]"


def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Check settings, registry, server and migrations; exits with 0 only if all are well."""
    invocation: Invocation = context.obj
    results = list(check_environment(invocation.settings))
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            out.print(_OK if result.ok else _FAILED, end="  ")
            say(f"{result.name:10}  {result.message}")
    raise typer.Exit(max(result.exit_code for result in results))
