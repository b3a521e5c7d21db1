"""A worker in this process, where what it knows can be looked at and its intervals are short."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from queue_worker import Settings
from queue_worker.errors import DatabaseUnreachable
from queue_worker.queue.floor import Levels
from queue_worker.queue.manager import RunManager
from queue_worker.worker import claimer, timing
from queue_worker.worker.listener import Listener
from queue_worker.worker.process import Worker
from queue_worker.worker.station import Station
from queue_worker.worker.turns import EVERYTHING, Hint, Place
from tests.support.eventually import eventually_async
from tests.support.jobs import without_ticker


@pytest.fixture
async def worker(
    settings: Settings, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Worker]:
    monkeypatch.setattr(claimer, "RECONCILE_INTERVAL", 0.2)
    worker = Worker(without_ticker, settings.model_copy(update={"poll_interval": 0.1}))
    working = asyncio.create_task(worker.run())
    known = "SELECT count(*) FROM queue_worker.worker"
    try:
        await eventually_async(
            lambda: working.done() or connection.execute(known).fetchone() == (1,)
        )
        yield worker
    finally:
        worker.stop()
        assert await working == 0


def put(connection: Any, task: str, **columns: Any) -> int:
    row = {"task_name": task, "queue_name": "default", **columns}
    marks = ", ".join(f"%({name})s" for name in row)
    found = connection.execute(
        f"INSERT INTO procrastinate_jobs ({', '.join(row)}) VALUES ({marks}) RETURNING id", row
    ).fetchone()
    return int(found[0])


async def until_succeeded(connection: Any, queue_job_id: int) -> None:
    query = "SELECT FROM queue_worker.run WHERE queue_job_id = %s AND outcome = 'succeeded'"
    await eventually_async(lambda: connection.execute(query, [queue_job_id]).fetchone() is not None)


@pytest.mark.fault("P9")
async def test_a_claim_that_its_worker_does_not_know_of_is_given_back_and_run(
    worker: Worker, connection: Any
) -> None:
    """The answer of a claim got lost: the row says `doing`, and nobody does it."""
    ((worker_id,),) = connection.execute("SELECT worker_id FROM queue_worker.worker").fetchall()
    orphan = put(connection, "noop", status="doing", worker_id=worker_id)
    await until_succeeded(connection, orphan)
    assert connection.execute("SELECT attempt FROM queue_worker.run").fetchall() == [(1,)]


async def test_what_is_given_back_is_found_also_below_the_floor(
    worker: Worker, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The poll, which looks at everything, does not help."""
    monkeypatch.setattr(worker._claimer, "_polled", math.inf)
    ((worker_id,),) = connection.execute("SELECT worker_id FROM queue_worker.worker").fetchall()
    orphan = put(connection, "noop", id=1_000, status="doing", worker_id=worker_id)
    worker._station._manager.floor.levels = Levels(1_000_000, 0.0, 1_000_000, 0.0)
    ended = "SELECT FROM queue_worker.run WHERE queue_job_id = %s AND outcome = 'succeeded'"
    later = itertools.count(2_000)

    def has_ended_meanwhile() -> bool:
        put(connection, "noop", id=next(later))  # a hint, so that claims are compared
        return connection.execute(ended, [orphan]).fetchone() is not None

    await eventually_async(has_ended_meanwhile)


@pytest.fixture
async def deaf(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Worker, list[Hint]]]:
    """A worker that no notification reaches and whose poll does not come; and where it is to look."""
    heard: list[Hint] = []
    monkeypatch.setattr(Listener, "run", lambda _: asyncio.Event().wait())
    monkeypatch.setattr(timing, "REAP_OWNERLESS", 0.1)
    monkeypatch.setattr(Station, "look_at", lambda _, hint: heard.append(hint))
    worker = Worker(without_ticker, settings.model_copy(update={"poll_interval": 600.0}))
    working = asyncio.create_task(worker.run())
    try:
        yield worker, heard
    finally:
        worker.stop()
        assert await working == 0


async def test_who_rescues_runs_looks_at_everything_before_it_is_told(
    deaf: tuple[Worker, list[Hint]], connection: Any
) -> None:
    """Else it might claim a later job of the lock key that it has just freed."""
    put(connection, "noop", status="doing", queue_worker_claimed_at="2001-01-01")
    await eventually_async(lambda: deaf[1] == [EVERYTHING])


async def test_who_gives_back_claims_looks_at_everything_before_it_is_told(
    deaf: tuple[Worker, list[Hint]], connection: Any
) -> None:
    worker, heard = deaf
    worker_id = await eventually_async(lambda: getattr(worker._station, "worker_id", None))
    put(connection, "noop", status="doing", worker_id=worker_id)
    await worker._station.return_orphans()
    assert heard == [EVERYTHING]


async def test_claims_go_on_where_the_floor_cannot_be_found(
    worker: Worker, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        tried.append(True)
        raise DatabaseUnreachable("here", "too slow")

    tried: list[bool] = []
    monkeypatch.setattr(RunManager, "find_floor", fail)
    for _ in range(3):
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name)"
            " SELECT 'default', 'noop' FROM generate_series(1, 150)"
        )
        await until_succeeded(connection, put(connection, "noop"))
    assert tried


@pytest.mark.fault("F45")
async def test_ten_thousand_names_that_nobody_declared_make_no_series(
    worker: Worker, connection: Any
) -> None:
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name)"
        " SELECT 'default', 'unknown-' || n FROM generate_series(1, 10000) AS n"
    )
    await until_succeeded(connection, put(connection, "noop"))
    series = {
        sample.labels["job"]
        for metric in worker._station.metrics.registry.collect()
        for sample in metric.samples
        if "job" in sample.labels
    }
    assert series == set(worker._registry.names)


@pytest.mark.parametrize(("workers", "shortest"), [(1, 0.0), (50, 0.14)])
async def test_a_notification_is_left_to_those_whose_turn_it_is_and_then_followed(
    settings: Settings,
    connection: Any,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    shortest: float,
) -> None:
    """One of fifty, and none of the others is there; the poll is too slow to help."""
    monkeypatch.setattr(Station, "place", Place(rank=20 % workers, workers=workers))
    worker = Worker(without_ticker, settings.model_copy(update={"poll_interval": 60.0}))
    working = asyncio.create_task(worker.run())
    listens = (
        "SELECT FROM pg_stat_activity WHERE application_name = 'queue_worker listener'"
        " AND query LIKE 'LISTEN%' AND state = 'idle' AND datname = current_database()"
    )
    await eventually_async(lambda: connection.execute(listens).fetchone() is not None)
    await until_succeeded(connection, put(connection, "noop"))  # now everything is connected
    queue_job_id = put(connection, "noop")
    await until_succeeded(connection, queue_job_id)
    worker.stop()
    assert await working == 0
    ((waited,),) = connection.execute(
        "SELECT extract(epoch FROM started_at - enqueued_at)::float8 FROM queue_worker.run"
        " WHERE queue_job_id = %s",
        [queue_job_id],
    ).fetchall()
    assert shortest <= waited < 5
