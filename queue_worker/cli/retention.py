"""`queue-worker retention`: what is kept how long, and the two keys to remove the rest."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Annotated, Any

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.output import messages, print_json, print_table, say
from queue_worker.governance.retention.apply import Progress, apply_plan
from queue_worker.governance.retention.plan import (
    Plan,
    Step,
    check_plan,
    make_plan,
    read_plan,
    store_plan,
)
from queue_worker.governance.retention.policies import (
    declared_policies,
    list_policies,
    publish_policies,
)
from queue_worker.governance.retention.undo import undo_plan

_POLICIES = ("name", "table", "how", "keep", "max_rows", "max_share", "description")
_STEPS = ("policy", "rows", "of_rows", "oldest", "newest", "bytes", "removed", "goes_with")

PlanId = Annotated[
    int, typer.Argument(metavar="PLAN", min=1, max=2**63 - 1, help="The number of the plan.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show it; write nothing.")]

app = typer.Typer(no_args_is_help=True, help="What is kept how long, and removing the rest.")


@app.command()
def policies(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is kept how long, as it was last published."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        rows = list_policies(connection)
    if as_json:
        print_json(rows)
    else:
        kept = [{**row, "keep": row["keep"] or "for ever"} for row in rows]
        print_table("Policies", _POLICIES, kept)


@app.command()
def plan(context: typer.Context, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """The first key: count what is too old, and store that as a plan. Nothing is removed."""
    invocation: Invocation = context.obj
    settings = invocation.settings()
    is_dry = dry_run or settings.dry_run
    declared = declared_policies(settings)
    with ready_database(settings) as connection:
        if is_dry:
            made = make_plan(connection, declared)
        else:
            publish_policies(connection, declared)
            made = store_plan(connection, make_plan(connection, declared))
    _print(made, as_json=as_json)
    if made.plan_id is not None and not as_json:
        say(f"Nothing was removed. `queue-worker retention apply {made.plan_id}` does it.")


@app.command()
def show(context: typer.Context, plan_id: PlanId, as_json: AsJson = False) -> None:
    """Show a plan, and how far it has come."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        _print(read_plan(connection, plan_id), as_json=as_json)


@app.command()
def apply(
    context: typer.Context,
    plan_id: PlanId,
    *,
    reason: Annotated[
        str, typer.Option(help="Why, for the audit log.")
    ] = "somebody looked at the plan",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """The second key: remove what a plan says. One that was interrupted goes on."""
    invocation: Invocation = context.obj
    settings = invocation.settings()
    declared = declared_policies(settings)
    with ready_database(settings) as connection:
        if dry_run or settings.dry_run:
            _print(check_plan(connection, plan_id), as_json=as_json)
            return
        publish_policies(connection, declared)
        with messages(quiet=as_json).status(f"plan {plan_id}") as display:
            applied = apply_plan(
                connection,
                plan_id,
                declared,
                actor=getpass.getuser(),
                reason=reason,
                report=lambda progress: display.update(_progress(progress)),
            )
    _print(applied, as_json=as_json)


@app.command()
def undo(
    context: typer.Context,
    plan_id: PlanId,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
    as_json: AsJson = False,
) -> None:
    """Put the rows that a plan has soft-deleted into use again."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        rows = undo_plan(connection, plan_id, actor=getpass.getuser(), reason=reason)
    if as_json:
        print_json({"plan_id": plan_id, "rows": rows})
    else:
        say(f"{rows:,} rows are in use again.")


def _progress(progress: Progress) -> str:
    return f"{progress.policy}: {progress.removed:,} of {progress.rows:,}"


def _print(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(plan))
        return
    title = "Plan" if plan.plan_id is None else f"Plan {plan.plan_id}"
    print_table(f"{title}: {plan.rows:,} rows", _STEPS, map(_row, plan.steps))


def _row(step: Step) -> dict[str, Any]:
    parts = [f"{len(step.partitions)} whole partitions"] if step.partitions else []
    return {**asdict(step), "goes_with": ", ".join([*parts, *step.referenced_by])}
