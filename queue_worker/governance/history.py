"""One run in whole: what the ledger says of it, or what the queue does while it has not ended."""

from __future__ import annotations

import re
from typing import Any

from queue_worker.errors import UnknownRunError
from queue_worker.governance.reports import Connection, Row, list_attempts, read_queued_job

_RUN_ID = re.compile(r"(?P<queue_job_id>[1-9]\d{0,17})(\.(?P<attempt>[1-9]\d{0,8}))?", re.ASCII)
_OPEN = {"todo": "waiting", "doing": "running"}


def read_run(connection: Connection, run_id: str) -> Row:
    """A run with all that is known of it, and every attempt of its queued job.

    Its `state` is `ended`, `running` or `waiting`; a job that a plain procrastinate worker has
    finished has no run, and is `unrecorded`.

    Args:
        connection: any that may read the views.
        run_id: <queue job>.<attempt>, or the queue job alone for its latest attempt.

    Raises:
        UnknownRunError: there is no such run, or the text is no id of one.
    """
    queue_job_id, attempt = _parse(run_id)
    runs = list_attempts(connection, queue_job_id)
    queued = read_queued_job(connection, queue_job_id)
    found = _find(runs, queued, attempt)
    if found is None:
        raise UnknownRunError(run_id, *_why_not(runs, queued))
    return {**found, "attempts": [_short(run) for run in reversed(runs)]}


def _parse(run_id: str) -> tuple[int, int | None]:
    match = _RUN_ID.fullmatch(run_id)
    if match is None:
        raise UnknownRunError(
            run_id, "is no id of a run", "Give one such as 12.1, or 12 for the queued job."
        )
    attempt = match["attempt"]
    return int(match["queue_job_id"]), int(attempt) if attempt else None


def _find(runs: list[Row], queued: Row | None, attempt: int | None) -> Row | None:
    recorded = next((run for run in runs if attempt in {None, run["attempt"]}), None)
    if queued and queued["status"] in _OPEN and attempt in {None, queued["attempt"]}:
        return _open_run(queued)
    if recorded is None and queued and queued["status"] not in _OPEN and attempt is None:
        return {**_facts(queued), "state": "unrecorded", "because": f"it is {queued['status']}"}
    return recorded and {**recorded, "state": "ended"}


def _open_run(queued: Row) -> Row:
    state = _OPEN[queued["status"]]
    return {**_facts(queued), "state": state, "because": _why_waiting(queued)}


def _facts(queued: Row) -> dict[str, Any]:
    hidden = {"status", "is_later", "is_served", "held_by_job", "held_by_run"}
    run_id = f"{queued['queue_job_id']}.{queued['attempt']}"
    return {"run_id": run_id, **{k: v for k, v in queued.items() if k not in hidden}}


def _why_waiting(queued: Row) -> str | None:
    if queued["status"] != "todo":
        return None
    if queued["is_later"]:
        return "its time has not come"
    if not queued["is_served"]:
        return "no living worker serves its queue"
    if queued["held_by_run"]:
        return f"run {queued['held_by_run']} of job {queued['held_by_job']} holds its lock key"
    return "it has not come to its turn"


def _why_not(runs: list[Row], queued: Row | None) -> tuple[str, str]:
    if runs or queued:
        attempts = [run["attempt"] for run in runs]
        if queued and queued["status"] in _OPEN:
            attempts.append(queued["attempt"])
        known = ", ".join(map(str, sorted(attempts))) or "none"
        return "does not exist", f"The attempts of this queued job are: {known}."
    return (
        "is neither in the ledger nor in the queue",
        "`queue-worker runs` lists those that are.",
    )


def _short(run: Row) -> Row:
    names = ("run_id", "outcome", "started_at", "duration_ms", "retry_at", "error_class")
    return {name: run[name] for name in names}
