"""`queue-worker audit`: who did what and why, and whether somebody has tampered with that."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, readable_database, ready_database
from queue_worker.cli.output import print_json, print_table, say
from queue_worker.governance.audit import list_audit, verify_audit

_COLUMNS = ("audit_id", "at", "actor", "action", "subject", "role", "reason")
_PROBLEMS = ("chain_no", "audit_id", "problem")

app = typer.Typer(help="Who did what and why, and whether somebody has tampered with that.")


@app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    subject: Annotated[
        str | None, typer.Option(metavar="KIND:KEY", help="Only of this, such as queue_job:42.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="NUMBER", help="How many at most.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest entries of the audit log, newest first."""
    if context.invoked_subcommand:
        return
    invocation: Invocation = context.obj
    with readable_database(invocation.settings()) as connection:
        rows = list_audit(connection, subject=subject, limit=limit)
    if as_json:
        print_json(rows)
    else:
        print_table("Audit log", _COLUMNS, rows)


@app.command()
def verify(
    context: typer.Context,
    anchor: Annotated[
        str | None,
        typer.Option(metavar="ANCHOR", help="What an earlier verification has printed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find entries that were edited, deleted, put in or cut off; exits with 1 if there are any."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        found = verify_audit(connection, anchor)
    if as_json:
        print_json(asdict(found))
    elif found.problems:
        print_table("The audit log was tampered with", _PROBLEMS, found.problems)
    else:
        say(f"The audit log is as it was written. Keep this elsewhere: --anchor {found.anchor}")
    raise typer.Exit(1 if found.problems else 0)
