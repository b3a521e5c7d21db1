"""The third ring of locks: advisory locks, held by one session of the process.

The session is one direct connection. When it dies the server lets go of all its locks at once,
so every run that holds one must end: `on_lost` is told which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from queue_worker.errors import DatabaseUnreachable, LockHeld
from queue_worker.session import Session

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

WATCH_INTERVAL = 2.0  # seconds; how soon a session that died without a word is noticed


class LockSession:
    """Holds lock keys for runs, and the lock that says that this worker is alive."""

    def __init__(self, session: Session, on_lost: Callable[[str], None]) -> None:
        self._session = session
        self._on_lost = on_lost
        self._held: set[str] = set()  # advisory locks are re-entrant within a session
        self._backend_pid: int | None = None
        self._worker_id: int | None = None

    async def open(self, worker_id: int) -> None:
        """Take the lock that says that this worker is alive.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        await self._session.fetch("hold_alive_lock", {"worker_id": worker_id})
        self._worker_id = worker_id
        self._backend_pid = self._session.backend_pid

    async def hold(self, lock_key: str) -> None:
        """Hold a lock key until it is released.

        Raises:
            LockHeld: another run holds it; the message names the holder.
            DatabaseUnreachable: the database does not answer; the key is not held.
        """
        if lock_key in self._held:
            raise LockHeld(lock_key, "another run of this worker")
        self._held.add(lock_key)
        try:
            if not await self._try(lock_key):
                rows = await self._session.fetch("read_lock_holder", {"lock_key": lock_key})
                raise LockHeld(lock_key, rows[0][0])
        except BaseException:
            self._held.discard(lock_key)
            raise

    async def release(self, lock_key: str) -> None:
        """Let go of a lock key; if the database does not answer, its session's end does."""
        try:
            await self._session.fetch("release_lock", {"lock_key": lock_key})
        except DatabaseUnreachable:
            self._lose()
        finally:
            self._held.discard(lock_key)

    async def watch(self) -> None:
        """Notice a session that died without a word; open it again. Runs until cancelled."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            try:
                await self._session.fetch("hold_alive_lock", {"worker_id": self._worker_id})
            except DatabaseUnreachable as error:
                log.warning("lock_session.lost", error=str(error))
                self._lose()
                continue
            if self._session.backend_pid != self._backend_pid:
                self._lose()
                self._backend_pid = self._session.backend_pid

    async def aclose(self) -> None:
        """End the session, and with it every lock."""
        await self._session.aclose()

    async def _try(self, lock_key: str) -> bool:
        rows = await self._session.fetch("hold_lock", {"lock_key": lock_key})
        if self._session.backend_pid != self._backend_pid:
            self._lose()
            self._backend_pid = self._session.backend_pid
            self._held.add(lock_key)
        return bool(rows[0][0])

    def _lose(self) -> None:
        lost, self._held = self._held, set()
        for lock_key in lost:
            self._on_lost(lock_key)
