"""Claim and close many runs at a time, on procrastinate's tables and by its rules."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from procrastinate.connector import BaseConnector
from procrastinate.manager import JobManager

from queue_worker.errors import JobPaused, LockHeld
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.queue.floor import Floor, Levels
from queue_worker.queue.requests import Item
from queue_worker.session import Rows, Session

_SPARE = 16  # rows beyond what is free: others may be quicker with some
_WIDEST_WINDOW = 20_000
_MOST_FREED = 1_000  # that are remembered: one is enough to look again
_HIDDEN_INTERVAL = 0.1  # seconds between two looks for hidden locks of which nothing tells


class RunManager(JobManager):
    """Procrastinate's job manager, and beside it the claim and the close of our own worker.

    Attributes:
        floor: where claims begin to look.
    """

    def __init__(self, connector: BaseConnector) -> None:
        super().__init__(connector)
        self.floor = Floor()
        self._taken_by_others = 0  # of the rows that the last claim would have taken
        self._after_lock = ""  # where the look at locks that others hide goes on
        self._hid_none_at = -math.inf  # when such a look has found nothing
        self._freed: set[str] = set()  # lock keys that such a look may find free since

    async def claim_runs(
        self,
        session: Session,
        *,
        worker_id: int,
        jobs: Sequence[str],
        queues: Sequence[str] | None,
        free: int,
    ) -> tuple[list[Claim], float]:
        """Claim up to `free` waiting jobs, in the order they are to start.

        Args:
            session: where to run the statement; with pinned plans.
            worker_id: who claims.
            jobs: the names this worker knows; others stay for one that knows them.
            queues: the queues it serves; None for all.
            free: how many runs it can start at once.

        Returns:
            The claims, and the seconds after which a further look may find more, whatever happens
            until then; infinite where none will.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        parameters = {
            "worker_id": worker_id,
            "jobs": list(jobs),
            "queues": list(queues) if queues else None,
            "after_lock": None,
        }
        window, has_wrapped = free + self._taken_by_others + _SPARE, False
        while True:
            try:
                rows = await session.fetch(
                    "claim_runs",
                    parameters | {"free": free, "window": window} | self.floor.levels._asdict(),
                )
            except psycopg.errors.UniqueViolation:
                continue  # another worker has just claimed for the same lock: look again
            met, hides_locks, last_lock = rows[0][:3]
            claims = _as_claims([row[3:] for row in rows if row[3] is not None])
            self.floor.took(claims)
            self._freed.difference_update(c.lock_key for c in claims if c.lock_key is not None)
            if not hides_locks:
                self._freed.clear()
            is_window_full = met == window
            self._taken_by_others = min(met, free) - len(claims)
            if parameters["after_lock"] is not None:  # on to the last lock, and once from the first
                self._after_lock = last_lock or ""
                has_wrapped = has_wrapped or not parameters["after_lock"]
                if claims:
                    return claims, 0.0
                if last_lock is None and has_wrapped:
                    self._hid_none_at = time.monotonic()
                    return claims, math.inf
                parameters["after_lock"] = self._after_lock
            elif claims or not (is_window_full or hides_locks):
                if len(claims) == free or is_window_full:
                    return claims, 0.0
                return claims, self._until_hidden_look if hides_locks else math.inf
            elif is_window_full and window < _WIDEST_WINDOW:
                window *= 4
            else:
                parameters["after_lock"] = self._after_lock
                self._freed.clear()  # before the look: what is freed from now on is not seen by it

    @property
    def _until_hidden_look(self) -> float:
        """Seconds; at once where a lock key was freed here that the last claims have not taken."""
        if self._freed:
            return 0.0
        return max(0.0, self._hid_none_at + _HIDDEN_INTERVAL - time.monotonic())

    async def find_floor(self, session: Session, *, queues: Sequence[str] | None) -> None:
        """Have claims of these queues begin at the first job that waits now.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """

        async def ask(levels: Levels) -> Levels:
            parameters = levels._asdict() | {
                "queues": list(queues) if queues else None,
                "highest_claimed": self.floor.highest_claimed,
            }
            return Levels(*(await session.fetch("find_floors", parameters))[0])

        await self.floor.find(ask)

    async def enqueue_and_claim(self, session: Session, *, worker_id: int, item: Item) -> Claim:
        """Put one job into the queue and claim it at once, unseen by other workers.

        Args:
            session: where to run the statements.
            worker_id: who claims.
            item: the job.

        Raises:
            JobPaused: it or its queue is paused; nothing was enqueued.
            LockHeld: its lock key is held; nothing was enqueued.
            DatabaseUnreachable: the database does not answer.
        """
        try:
            async with session.transaction() as fetch:
                ((queue_job_id, _),) = await fetch("enqueue_job", item._asdict())
                rows = await fetch(
                    "claim_run", {"worker_id": worker_id, "queue_job_id": queue_job_id}
                )
                if not rows:
                    paused = await fetch("find_pause", {"queue_job_id": queue_job_id})
                    if paused:
                        raise JobPaused(*paused[0])
                    holder = await fetch("read_lock_holder", {"lock_key": item.lock_key})
                    raise LockHeld(str(item.lock_key), holder[0][0])
                return _as_claims(rows)[0]
        except psycopg.errors.UniqueViolation:
            raise LockHeld(str(item.lock_key), "a run that has just begun") from None

    async def close_runs(
        self, session: Session, *, worker_id: int, ended: Sequence[EndedRun]
    ) -> list[EndedRun]:
        """Write what came of these runs: queue rows and ledger in one statement.

        Args:
            session: where to run the statement; with pinned plans.
            worker_id: who has claimed them.
            ended: how they ended.

        Returns:
            Those whose claim was gone: their queue rows were left alone, and unless somebody has
            recorded it before, the ledger now says `lost`.

        Raises:
            DatabaseUnreachable: the database does not answer; sending it again is safe.
        """
        rows = await session.fetch("close_runs", {"worker_id": worker_id, **_as_columns(ended)})
        if len(self._freed) < _MOST_FREED:
            self._freed.update(e.claim.lock_key for e in ended if e.claim.lock_key is not None)
        if not rows:
            return []
        refused = _chosen(ended, rows)
        rows = await session.fetch(
            "record_refused_runs", {"worker_id": worker_id, **_as_facts(refused)}
        )
        return _chosen(refused, rows)

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
    claims = [Claim(*(*row, received)) for row in rows]
    claims.sort(key=lambda claim: (-claim.priority, claim.queue_job_id))
    return claims


def _chosen(ended: Sequence[EndedRun], rows: Rows) -> list[EndedRun]:
    chosen = {(queue_job_id, attempt) for queue_job_id, attempt in rows}
    return [e for e in ended if (e.claim.queue_job_id, e.claim.attempt) in chosen]


def _as_columns(ended: Sequence[EndedRun]) -> dict[str, str | list[Any] | None]:
    return {
        "queue_job_id": _array([e.claim.queue_job_id for e in ended]),
        "attempt": _array([e.claim.attempt for e in ended]),
        "outcome": _array([e.outcome.value for e in ended]),
        "status": _array(
            ["todo" if e.retry_wait is not None else e.outcome.queue_status for e in ended]
        ),
        "started_after": _array([round((e.started - e.claim.received) * 1e6) for e in ended]),
        "finished_after": _array([round((e.finished - e.claim.received) * 1e6) for e in ended]),
        "error_class": _unless_empty([e.failure and e.failure.error_class for e in ended]),
        "error_message": _unless_empty([e.failure and e.failure.message for e in ended]),
        "traceback": _unless_empty([e.failure and e.failure.traceback for e in ended]),
        "retry_wait": _unless_empty([e.retry_wait for e in ended]),
    }


def _array(values: Iterable[int | str]) -> str:
    """An array as Postgres writes it, of values that need no quotes; psycopg takes much longer."""
    return f"{{{','.join(map(str, values))}}}"


def _unless_empty(values: list[Any]) -> list[Any] | None:
    return None if all(value is None for value in values) else values


def _as_facts(ended: Sequence[EndedRun]) -> dict[str, list[Any]]:
    claims = [e.claim for e in ended]
    return {
        "queue_job_id": [c.queue_job_id for c in claims],
        "attempt": [c.attempt for c in claims],
        "outcome": [e.outcome.value for e in ended],
        "job": [c.job for c in claims],
        "queue": [c.queue for c in claims],
        "lock_key": [c.lock_key for c in claims],
        "due_at": [c.due_at for c in claims],
        "enqueued_at": [c.enqueued_at for c in claims],
        "started_at": [e.claim.moment(e.started) for e in ended],
        "finished_at": [e.claim.moment(e.finished) for e in ended],
    }
