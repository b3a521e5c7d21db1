"""`queue-worker retire`: say that a job was taken out of the code."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.operator import Actor, Reason, print_answer
from queue_worker.governance import operations
from queue_worker.governance.operations import Operator


def retire(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="JOB", help="The name of the job.")],
    reason: Reason,
    actor: Actor,
    *,
    as_json: AsJson = False,
) -> None:
    """Say that a job was taken out of the code: it is due no more."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        what = operations.retire_job(connection, name, Operator(actor, reason))
    remark = "; nothing has changed" if what.startswith("already") else ""
    print_answer(f"Job {name} is {what}{remark}.", as_json=as_json, name=name, what=what)
