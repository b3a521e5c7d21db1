"""A connection of ours never waits for ever, and leaves nothing behind that does."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest

from queue_worker.database import connect
from queue_worker.errors import DatabaseUnreachable
from queue_worker.execution.locks import LockSession
from queue_worker.session import Session
from queue_worker.statements import statement
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
        end_sessions(connection)
        await eventually_async(lambda: not locks.is_alive)
        await eventually_async(lambda: locks.is_alive)
        assert connection.execute(held).fetchall() == [(1,)]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await locks.aclose()


async def test_lock_keys_asked_for_while_the_session_ends_are_held_in_the_next_one_or_not_at_all(
    stage: Scene,
) -> None:
    """The first to ask finds out and gives up what all of them want; the others ask in a new one."""
    lost: list[str] = []
    locks = LockSession(
        session_to(stage.dsn, 5), watch_interval=60, idle_interval=60, on_lost=lost.append
    )
    keys = [f"key {number}" for number in range(5)]
    await locks.open(1)
    with connect(stage.dsn, name="test") as connection:
        for _ in range(2):
            end_sessions(connection)
            answers = await asyncio.gather(*map(locks.hold, keys), return_exceptions=True)
            assert isinstance(answers[0], DatabaseUnreachable)
            assert answers[1:] == [None] * 4
            assert set(keys[1:]) <= locks._held
            assert held_by_others(connection, keys) == keys[1:]
            lost.clear()
            end_sessions(connection)
            with pytest.raises(DatabaseUnreachable):
                await locks.hold("another key")
            assert sorted(lost) == sorted([*keys[1:], "another key"])
            await asyncio.gather(*map(locks.hold, keys))
            for key in keys:
                await locks.release(key)
            assert held_by_others(connection, keys) == []
    await locks.aclose()


async def test_a_lock_key_whose_session_ends_before_its_worker_is_said_to_be_alive_is_not_held(
    stage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = LockSession(
        session_to(stage.dsn, 5), watch_interval=60, idle_interval=60, on_lost=lambda _: None
    )
    await locks.open(1)
    take_alive_lock = locks._take_alive_lock
    with connect(stage.dsn, name="test") as connection:

        async def after_another_end() -> None:
            monkeypatch.undo()
            end_sessions(connection)
            with pytest.raises(DatabaseUnreachable):
                await locks.hold("another key")
            await take_alive_lock()

        end_sessions(connection)
        with pytest.raises(DatabaseUnreachable):
            await locks.hold("another key")
        monkeypatch.setattr(locks, "_take_alive_lock", after_another_end)
        with pytest.raises(DatabaseUnreachable, match="had just got key"):
            await locks.hold("key")
        assert held_by_others(connection, ["key", "another key"]) == []
    await locks.aclose()


def end_sessions(connection: psycopg.Connection[Any]) -> None:
    """End the session under test, and wait until the server has."""
    ended = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = %s AND datname = current_database()"
    )
    assert connection.execute(ended, [NAME]).fetchall() == [(True,)]


def held_by_others(connection: psycopg.Connection[Any], keys: list[str]) -> list[str]:
    """Which of the keys this session can't have."""
    held = []
    for key in keys:
        ((is_free,),) = connection.execute(statement("hold_lock"), {"lock_key": key}).fetchall()
        if is_free:
            connection.execute("SELECT pg_advisory_unlock_all()")
        else:
            held.append(key)
    return held
