"""Claim and close many runs at a time, on procrastinate's tables and by its rules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from procrastinate.manager import JobManager

from queue_worker.errors import LockHeld
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.session import Session


class RunManager(JobManager):
    """Procrastinate's job manager, and beside it the claim and the close of our own worker."""

    async def claim_runs(
        self,
        session: Session,
        *,
        worker_id: int,
        jobs: Sequence[str],
        queues: Sequence[str] | None,
        free: int,
    ) -> list[Claim]:
        """Claim up to `free` waiting jobs, in the order they are to start.

        Args:
            session: where to run the statement.
            worker_id: who claims.
            jobs: the names this worker knows; others stay for one that knows them.
            queues: the queues it serves; None for all.
            free: how many runs it can start at once.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        parameters = {
            "worker_id": worker_id,
            "jobs": list(jobs),
            "queues": list(queues) if queues else None,
            "free": free,
            "queue_job_id": None,
        }
        while True:
            try:
                rows = await session.fetch("claim_runs", parameters)
            except psycopg.errors.UniqueViolation:
                continue  # another worker has just claimed for the same lock: look again
            return _as_claims(rows)

    async def enqueue_and_claim(
        self, session: Session, *, worker_id: int, job: str, lock_key: str | None, batch: str
    ) -> Claim:
        """Put one job into the queue and claim it at once, unseen by other workers.

        Args:
            session: where to run the statements.
            worker_id: who claims.
            job: its name.
            lock_key: its lock key.
            batch: the request, as `write_batch` writes it.

        Raises:
            LockHeld: its lock key is held; nothing was enqueued.
            DatabaseUnreachable: the database does not answer.
        """
        parameters = {"worker_id": worker_id, "jobs": [job], "queues": None, "free": 1}
        try:
            async with session.transaction() as fetch:
                ((_, queue_job_id, _),) = await fetch("enqueue_jobs", {"batch": batch})
                rows = await fetch("claim_runs", parameters | {"queue_job_id": queue_job_id})
                if not rows:
                    holder = await fetch("read_lock_holder", {"lock_key": lock_key})
                    raise LockHeld(str(lock_key), holder[0][0])
                return _as_claims(rows)[0]
        except psycopg.errors.UniqueViolation:
            raise LockHeld(str(lock_key), "a run that has just begun") from None

    async def close_runs(
        self, session: Session, *, worker_id: int, ended: Sequence[EndedRun]
    ) -> list[EndedRun]:
        """Write what came of these runs: queue rows and ledger in one statement.

        Returns:
            Those whose claim was gone: their queue rows were left alone, and unless somebody has
            recorded it before, the ledger now says `lost`.

        Raises:
            DatabaseUnreachable: the database does not answer; sending it again is safe.
        """
        rows = await session.fetch("close_runs", {"worker_id": worker_id, **_as_columns(ended)})
        refused = {(queue_job_id, attempt) for queue_job_id, attempt in rows}
        return [e for e in ended if (e.claim.queue_job_id, e.claim.attempt) in refused]

    async def return_runs(
        self, session: Session, *, worker_id: int, claims: Sequence[Claim], wait: float
    ) -> None:
        """Give claims back to the queue unstarted; they are due again after `wait` seconds.

        Raises:
            DatabaseUnreachable: the database does not answer; sending it again is safe.
        """
        await session.fetch(
            "return_runs",
            {
                "worker_id": worker_id,
                "queue_job_ids": [claim.queue_job_id for claim in claims],
                "claimed_at": [claim.claimed_at for claim in claims],
                "wait": wait,
            },
        )


def _as_claims(rows: Sequence[Sequence[Any]]) -> list[Claim]:
    received = time.monotonic()
    claims = [_as_claim(row, received) for row in rows]
    return sorted(claims, key=lambda claim: (-claim.priority, claim.queue_job_id))


def _as_claim(row: Sequence[Any], received: float) -> Claim:
    return Claim(
        queue_job_id=row[0],
        attempt=row[1],
        job=row[2],
        queue=row[3],
        priority=row[4],
        lock_key=row[5],
        arguments=row[6],
        due_at=row[7],
        enqueued_at=row[8],
        enqueued_by=row[9],
        claimed_at=row[10],
        received=received,
    )


def _as_columns(ended: Sequence[EndedRun]) -> dict[str, list[Any]]:
    claims = [e.claim for e in ended]
    failures = [e.failure for e in ended]
    return {
        "queue_job_id": [c.queue_job_id for c in claims],
        "attempt": [c.attempt for c in claims],
        "job": [c.job for c in claims],
        "queue": [c.queue for c in claims],
        "lock_key": [c.lock_key for c in claims],
        "due_at": [c.due_at for c in claims],
        "enqueued_at": [c.enqueued_at for c in claims],
        "enqueued_by": [c.enqueued_by for c in claims],
        "started_at": [e.claim.moment(e.started) for e in ended],
        "finished_at": [e.claim.moment(e.finished) for e in ended],
        "outcome": [e.outcome.value for e in ended],
        "status": ["todo" if e.retry_wait is not None else e.outcome.queue_status for e in ended],
        "error_class": [f.error_class if f else None for f in failures],
        "error_message": [f.message if f else None for f in failures],
        "traceback": [f.traceback if f else None for f in failures],
        "retry_wait": [e.retry_wait for e in ended],
    }
