"""Does the queue keep its own promises?"""

from __future__ import annotations

from queue_worker.errors import CheckFailed
from queue_worker.governance.checks.check import Surroundings
from queue_worker.schemas import schema_names

NEWEST = 1_000  # rows of the queue that are compared with the ledger


def lock_keys(at: Surroundings) -> str:
    """No lock key is claimed twice, and the index that makes that impossible is there."""
    twice = at.read("check_lock_keys")
    if twice:
        found = ", ".join(f"{key!r} by {jobs}" for key, jobs in twice)
        raise CheckFailed(
            f"Lock keys are claimed more than once: {found}",
            "Stop all but one of these runs, and tell us: this must not happen.",
        )
    if not at.read("check_lock_index")[0][0]:
        raise CheckFailed(
            "The unique index of claimed lock keys is gone or invalid",
            "Create it again: CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 "
            "ON procrastinate_jobs (lock) WHERE status = 'doing' AND lock IS NOT NULL;",
        )
    return "no lock key is claimed twice"


def open_runs(at: Surroundings) -> str:
    """Every run that is open has a worker that lives."""
    rows = at.read("check_open_runs")
    if rows:
        raise CheckFailed(
            f"{len(rows)} runs are open without a living worker, the first is {rows[0][0]}",
            "Start a worker: its reaper closes what a dead one has left within half a minute. "
            "What it leaves was claimed by something else: see "
            f"{schema_names().ours}.running.",
        )
    return "every open run has a living worker"


def ledger(at: Surroundings) -> str:
    """Every job that has finished has its run in the ledger."""
    rows = at.read("check_ledger", newest=NEWEST)
    if rows:
        raise CheckFailed(
            f"{len(rows)} of the newest {NEWEST:,} jobs have finished without a run in the ledger, "
            f"the last is job {rows[0][0]}",
            "Somebody has changed their rows by hand, or taken rows out of "
            f"{schema_names().ours}.run.",
        )
    return f"the newest {NEWEST:,} jobs that have finished are in the ledger"
