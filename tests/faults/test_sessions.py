"""A connection of ours never waits for ever, and leaves nothing behind that does."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from queue_worker.database import connect
from queue_worker.errors import DatabaseUnreachable
from queue_worker.execution.locks import LockSession
from queue_worker.session import Session
from tests.support.eventually import eventually_async
from tests.support.faults import Scene
from tests.support.proxy import Proxy

NAME = "session under test"


def session_to(dsn: str, time_limit: float) -> Session:
    return Session(dsn, name=NAME, connect_timeout=2, time_limit=time_limit)


@pytest.mark.fault("P25")
async def test_a_statement_that_is_swallowed_ends_at_its_time_limit(
    stage: Scene, proxy: Proxy
) -> None:
    """Half-open TCP: the kernel sees nothing wrong with the connection."""
    session = session_to(proxy.dsn, 0.5)
    await session.fetch("ping_primary", {})
    proxy.swallow()
    began = time.monotonic()
    with pytest.raises(DatabaseUnreachable):
        await session.fetch("ping_primary", {})
    assert time.monotonic() - began < 1
    proxy.forward()
    assert await session.fetch("ping_primary", {}) == [(True,)]
    await session.aclose()


async def test_a_cancelled_statement_ends_at_once_and_stays_cancelled(
    stage: Scene, proxy: Proxy
) -> None:
    """Half-open TCP: asking the server to cancel would wait for an answer too."""
    session = session_to(proxy.dsn, 30)
    await session.fetch("ping_primary", {})
    proxy.swallow()
    task = asyncio.create_task(session.fetch("ping_primary", {}))
    await asyncio.sleep(0.1)  # let it be sent
    task.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1
    await session.aclose()


async def test_a_blocked_loop_is_no_evidence_against_the_server(stage: Scene) -> None:
    """A job blocks the loop for longer than the time limit, with the answer already there."""
    session = session_to(stage.dsn, 0.2)
    await session.fetch("ping_primary", {})
    before = session.backend_pid
    for _ in range(5):
        task = asyncio.create_task(session.fetch("ping_primary", {}))
        for _ in range(3):
            await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251  the fault itself
        assert await task == [(True,)]
        assert await session.fetch("ping_primary", {}) == [(True,)]
    assert session.backend_pid == before
    await session.aclose()


async def test_a_statement_given_up_does_not_go_on_waiting_in_the_server(stage: Scene) -> None:
    """Or else each try leaves a backend behind, until there are no connections any more."""
    session = session_to(stage.dsn, 0.5)
    with psycopg.connect(stage.dsn) as blocker:
        blocker.execute("LOCK TABLE queue_worker.worker")
        with pytest.raises(DatabaseUnreachable):
            await session.fetch("end_worker", {"worker_id": 0, "how": "failed"})
        query = (
            "SELECT 1 FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()"
        )
        await eventually_async(lambda: not stage.rows(query, NAME), within=4)
    await session.aclose()


async def test_a_new_lock_session_with_the_number_of_the_old_one_says_that_it_is_alive(
    stage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server counts its processes anew: in a container they have small numbers."""
    monkeypatch.setattr(Session, "backend_pid", 7)
    lost: list[str] = []
    locks = LockSession(
        session_to(stage.dsn, 5), watch_interval=0.05, idle_interval=0.05, on_lost=lost.append
    )
    held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND database ="
    held += " (SELECT oid FROM pg_database WHERE datname = current_database())"
    await locks.open(1)
    watching = asyncio.create_task(locks.watch())
    with connect(stage.dsn, name="test") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [NAME],
        )
        await eventually_async(lambda: not locks.is_alive)
        await eventually_async(lambda: locks.is_alive)
        assert connection.execute(held).fetchall() == [(1,)]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await locks.aclose()
