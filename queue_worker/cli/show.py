"""`queue-worker show`: one run in whole."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from queue_worker.cli.invocation import AsJson, Invocation, readable_database
from queue_worker.cli.output import (
    out,
    print_facts,
    print_json,
    print_table,
    say,
    styled_outcome,
)
from queue_worker.governance.history import read_run
from queue_worker.governance.printable import printable, shortened
from queue_worker.governance.reports import Row, error_of

_ATTEMPTS = ("run_id", "outcome", "started_at", "duration_ms", "retry_at", "error_class")


def show(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Such as 12.1, or 12 for a queued job's latest.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show one run in whole: how it went, where, why, and the other attempts of its job."""
    invocation: Invocation = context.obj
    with readable_database(invocation.settings()) as connection:
        found = read_run(connection, run)
    if as_json:
        print_json(found)
        return
    _print_head(found)
    print_facts(_facts(found))
    if found.get("traceback"):
        say(f"\n{shortened(found['traceback'].rstrip())}")
    others = [attempt for attempt in found["attempts"] if attempt["run_id"] != found["run_id"]]
    if others:
        out.print()
        print_table("Other attempts", _ATTEMPTS, others)


def _print_head(run: Row) -> None:
    say(f"Run {run['run_id']} of job {run['job']}")
    because = f": {printable(run['because'])}" if run.get("because") else ""
    out.print(Text.assemble("  ", styled_outcome(run.get("outcome") or run["state"]), because))


def _facts(run: Row) -> dict[str, object]:
    return {
        "error": error_of(run) if run["state"] == "ended" else None,
        "waited": _seconds(run.get("waited_ms")),
        "ran": _seconds(run.get("duration_ms")),
        "enqueued": run["enqueued_at"],
        "enqueued by": run["enqueued_by"],
        "tick": run["due_at"],
        "not before": run.get("scheduled_at"),
        "claimed": run.get("claimed_at"),
        "started": run.get("started_at"),
        "finished": run.get("finished_at"),
        "retried at": run.get("retry_at"),
        "attempt": run["attempt"],
        "queue": run["queue"],
        "lock key": run["lock_key"],
        "worker": _worker(run),
        "dry run": "yes: nothing was called" if run.get("dry_run") else None,
    }


def _worker(run: Row) -> str | None:
    if run["worker_id"] is None:
        return None
    where = f" on {run['host']}, pid {run['pid']}" if run["host"] else ""
    return f"{run['worker_id']}{where}"


def _seconds(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds / 1000:,.3f} s"
