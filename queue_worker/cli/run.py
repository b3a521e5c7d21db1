"""`queue-worker run`: run a job, through the queue or in this process."""

from __future__ import annotations

import time
from typing import Annotated, Any, NoReturn

import psycopg
import typer

from queue_worker.cli.invocation import (
    Arguments,
    AsJson,
    Invocation,
    JobName,
    parse_arguments,
    ready_database,
)
from queue_worker.cli.output import messages, out, print_json, say, say_aside, styled_outcome
from queue_worker.governance.checks import Moment
from queue_worker.governance.reports import Row, follow_job
from queue_worker.housekeeping import load_scheduled_jobs
from queue_worker.observability.logs import configure_logs
from queue_worker.queue.client import SyncQueueClient
from queue_worker.worker.inline import run_inline
from queue_worker.worker.loop import new_runner

_FOLLOW_INTERVAL = 0.2  # seconds between two looks at a job that is waited for
_INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended
_EXIT_CODES = {"succeeded": 0, "dry_run": 0, "skipped": 75, None: 69}


def run(
    context: typer.Context,
    job: JobName,
    *,
    arguments: Arguments = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait for its outcome; inline, for its lock key."),
    ] = False,
    inline: Annotated[
        bool, typer.Option("--inline", help="In this process: same runner, same lock.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a job now.

    Exits with 0 if it succeeded (or was only enqueued), 1 if it did not, 75 if its lock is held.
    """
    invocation: Invocation = context.obj
    settings = invocation.settings()
    registry = load_scheduled_jobs(settings)
    definition = registry.get(job)
    given = parse_arguments(job, arguments)
    with ready_database(settings, Moment.SERVE if inline else Moment.START) as connection:
        if inline:
            configure_logs(settings)
            with new_runner(settings) as runner:
                ended = runner.run(run_inline(registry, settings, definition, given, wait=wait))
            _finish(ended.claim.queue_job_id, ended.report, as_json=as_json)
        client = SyncQueueClient(registry, settings)
        queue_job_id = client.enqueue(definition, given, connection=connection).queue_job_id
        if queue_job_id is None or not wait:
            _print(queue_job_id, None, as_json=as_json)
            return
        try:
            state = _follow(connection, job, queue_job_id)
        except KeyboardInterrupt:
            say_aside(f"Not waiting any more. Job {queue_job_id} goes on; see `queue-worker runs`.")
            raise typer.Exit(_INTERRUPTED) from None
    _finish(queue_job_id, state, as_json=as_json)


def _finish(queue_job_id: int, state: Row, *, as_json: bool) -> NoReturn:
    _print(queue_job_id, state, as_json=as_json)
    raise typer.Exit(_EXIT_CODES.get(state["outcome"], 1))


def _follow(connection: psycopg.Connection[tuple[Any, ...]], job: str, queue_job_id: int) -> Row:
    """Show where the job stands until it has ended for good."""
    with messages().status(f"{job}: waiting") as display:
        while True:
            state = follow_job(connection, queue_job_id)
            if state["status"] not in {"todo", "doing"}:
                return state
            display.update(f"{job} ({queue_job_id}): {_progress(state)}")
            time.sleep(_FOLLOW_INTERVAL)


def _progress(state: Row) -> str:
    if state["status"] == "doing":
        return "running"
    if state["outcome"]:
        return f"run {state['run_id']} {state['outcome']}, waiting for the next attempt"
    return "waiting" if state["is_served"] else "waiting, but no live worker serves its queue"


def _print(queue_job_id: int | None, state: Row | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"queue_job_id": queue_job_id, **(state or {})})
    elif state is None:
        say(f"Enqueued as {queue_job_id}; `queue-worker runs` shows what comes of it.")
    elif state["outcome"] is None:
        say(f"Job {queue_job_id} is {state['status']}, without a run.")
    else:
        outcome = styled_outcome(state["outcome"])
        out.print(f"Run {state['run_id']}", outcome, f"after {state['duration_ms']:,.0f} ms")
        if state["error_class"]:
            say(f"  {state['error_class']}: {state['error_message']}")
