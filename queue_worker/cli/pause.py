"""`queue-worker pause` and `resume`: stop and let go on a job or a queue, in the whole fleet."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.operator import Actor, Reason, print_answer
from queue_worker.governance import operations
from queue_worker.governance.operations import Kind, Operator

Name = Annotated[str, typer.Argument(metavar="JOB|QUEUE", help="The name of a job.")]
IsQueue = Annotated[bool, typer.Option("--queue", help="The name is that of a queue.")]


def pause(
    context: typer.Context,
    name: Name,
    reason: Reason,
    actor: Actor,
    *,
    queue: IsQueue = False,
    as_json: AsJson = False,
) -> None:
    """Stop claims and schedule of a job, or of all in a queue; what runs goes on."""
    invocation: Invocation = context.obj
    kind: Kind = "queue" if queue else "job"
    with ready_database(invocation.settings()) as connection:
        what = operations.pause(connection, kind, name, Operator(actor, reason))
    remark = "; nothing has changed" if what.startswith("already") else ""
    print_answer(
        f"{kind.capitalize()} {name} is {what}{remark}.",
        as_json=as_json, kind=kind, name=name, what=what,
    )  # fmt: skip


def resume(
    context: typer.Context,
    name: Name,
    reason: Reason,
    actor: Actor,
    *,
    queue: IsQueue = False,
    as_json: AsJson = False,
) -> None:
    """End the pause of a job or of a queue."""
    invocation: Invocation = context.obj
    kind: Kind = "queue" if queue else "job"
    with ready_database(invocation.settings()) as connection:
        what = operations.resume(connection, kind, name, Operator(actor, reason))
    remark = "; nothing has changed" if what.startswith("not") else ""
    print_answer(
        f"{kind.capitalize()} {name} is {what}{remark}.",
        as_json=as_json, kind=kind, name=name, what=what,
    )  # fmt: skip
