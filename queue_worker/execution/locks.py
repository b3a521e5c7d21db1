"""The third ring of locks: advisory locks, held by one session of the process.

The session is one direct connection. When it dies the server lets go of all its locks at once,
so every run that holds one must end: `on_lost` is told which.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import psycopg
import structlog

from queue_worker.database import READ_ONLY
from queue_worker.errors import DatabaseUnreachable, LockHeld
from queue_worker.session import Rows, Session

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class LockSession:
    """Holds lock keys for runs, and the lock that says that this worker is alive.

    Args:
        session: a connection to the server itself, for nothing else.
        watch_interval: seconds between two looks at the session while a lock key is held.
        idle_interval: the same while none is.
        on_lost: told of each lock key that was held when the session ended.
    """

    def __init__(
        self,
        session: Session,
        *,
        watch_interval: float,
        idle_interval: float,
        on_lost: Callable[[str], None],
    ) -> None:
        self._session = session
        self._watch_interval = watch_interval
        self._idle_interval = idle_interval
        self._on_lost = on_lost
        self._is_needed = asyncio.Event()  # set while a lock key may be held
        self._held: set[str] = set()  # advisory locks are re-entrant within a session
        self._backend_pid: int | None = None
        self._worker_id: int | None = None
        self._is_alive = False  # whether the session holds the lock that says so

    async def open(self, worker_id: int) -> None:
        """Take the lock that says that this worker is alive.

        Raises:
            DatabaseUnreachable: the database does not answer.
        """
        self._worker_id = worker_id
        await self._take_alive_lock()

    async def hold(self, lock_key: str) -> None:
        """Hold a lock key until it is released.

        Raises:
            LockHeld: another run holds it; the message names the holder.
            DatabaseUnreachable: the database does not answer; the key is not held.
        """
        if lock_key in self._held:
            raise LockHeld(lock_key, "another run of this worker")
        self._held.add(lock_key)
        self._is_needed.set()
        try:
            ((is_free,),) = await self._ask("hold_lock", {"lock_key": lock_key}, gained=lock_key)
            holder = None if is_free else await self._read_holder(lock_key)
        except BaseException:
            self._held.discard(lock_key)
            raise
        if holder is not None:
            self._held.discard(lock_key)
            raise LockHeld(lock_key, holder)
        if lock_key not in self._held:
            raise DatabaseUnreachable(
                "the lock session", f"it ended when it had just got {lock_key}"
            )

    async def release(self, lock_key: str) -> None:
        """Let go of a lock key; if the database does not answer, its session's end does."""
        if lock_key not in self._held:
            return  # the session has ended, and the lock with it
        try:
            await self._ask("release_lock", {"lock_key": lock_key})
        except DatabaseUnreachable as error:
            log.warning("lock_session.lost", error=str(error))
        finally:
            self._held.discard(lock_key)

    async def watch(self) -> None:
        """Notice a session that has ended, and open it again. Runs until cancelled."""
        while True:
            await self._pause()
            try:
                ((is_primary,),) = await self._ask("ping_primary", {})
                if not is_primary:
                    await self._leave_server()
                elif not self._is_alive:
                    await self._take_alive_lock()
            except DatabaseUnreachable as error:
                log.warning("lock_session.lost", error=str(error))

    @property
    def is_holding(self) -> bool:
        """Whether any lock key is held."""
        return bool(self._held)

    @property
    def held(self) -> int:
        """How many lock keys are held."""
        return len(self._held)

    @property
    def is_alive(self) -> bool:
        """Whether the session is open and says that this worker is alive; for any thread."""
        return self._is_alive and self._session.is_open

    async def _pause(self) -> None:
        if self._held:
            await asyncio.sleep(self._watch_interval)
            return
        self._is_needed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._idle_interval):
                await self._is_needed.wait()

    def forget_all(self) -> None:
        """Give up every lock key at once, without asking the database."""
        self._lose()
        self._session.sever()  # the server lets go of them with it

    async def aclose(self) -> None:
        """End the session, and with it every lock."""
        await self._session.aclose()

    async def _ask(
        self, name: str, parameters: dict[str, object], *, gained: str | None = None
    ) -> Rows:
        """Run a statement, and notice if the session is not the one that the locks are held in.

        Args:
            name: the statement.
            parameters: of the statement.
            gained: the lock key that it may have got, in whatever session it ran.
        """
        try:
            rows = await self._session.fetch(name, parameters)
        except DatabaseUnreachable:
            self._lose()
            raise
        except psycopg.Error as error:  # what the session holds now, nobody knows
            self._lose()
            await self._session.aclose()
            raise DatabaseUnreachable("the lock session", str(error).strip()) from error
        if gained is not None:  # another statement may have lost all keys before this one's turn
            self._held.add(gained)
        if self._session.backend_pid != self._backend_pid:
            self._lose(gained)
            # Others may gain keys in this session before the next statement has its turn.
            self._backend_pid = self._session.backend_pid
            await self._take_alive_lock()
        return rows

    async def _take_alive_lock(self) -> None:
        ((self._is_alive,),) = await self._session.fetch(
            "hold_alive_lock", {"worker_id": self._worker_id}
        )
        self._backend_pid = self._session.backend_pid

    async def _leave_server(self) -> None:
        """Its locks keep nobody away any more: others take theirs on the new primary."""
        log.warning("lock_session.lost", error=READ_ONLY)
        self._lose()
        await self._session.aclose()

    async def _read_holder(self, lock_key: str) -> str:
        ((holder,),) = await self._ask("read_lock_session", {"lock_key": lock_key})
        return str(holder)

    def _lose(self, gained: str | None = None) -> None:
        self._backend_pid, self._is_alive = None, False  # another server may use the number again
        kept = self._held & {gained}
        lost, self._held = self._held - kept, kept
        for lock_key in lost:
            self._on_lost(lock_key)
