"""`queue-worker release-lock`: free a lock key whose worker is gone."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation, ready_database
from queue_worker.cli.operator import Actor, Reason, print_answer
from queue_worker.governance import operations
from queue_worker.governance.operations import Operator


def release_lock(
    context: typer.Context,
    lock_key: Annotated[str, typer.Argument(metavar="KEY", help="The lock key.")],
    reason: Reason,
    actor: Actor,
    *,
    as_json: AsJson = False,
) -> None:
    """Free a lock key whose worker is gone; refuses while its holder is alive, and names it."""
    invocation: Invocation = context.obj
    with ready_database(invocation.settings()) as connection:
        run_id = operations.release_lock(connection, lock_key, Operator(actor, reason))
    print_answer(
        f"Lock key {lock_key} is free; run {run_id} is lost.",
        as_json=as_json, lock_key=lock_key, run_id=run_id,
    )  # fmt: skip
