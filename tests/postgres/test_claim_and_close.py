"""The claim follows procrastinate's rules; the close is fenced."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from procrastinate import App, PsycopgConnector

from queue_worker.execution.failure import Failure
from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.queue.manager import RunManager
from queue_worker.session import Session
from tests.support.eventually import eventually_async

pytestmark = pytest.mark.usefixtures("worker_rows")


@pytest.fixture
def manager(database: str) -> RunManager:
    return RunManager(PsycopgConnector(conninfo=database))


@pytest.fixture
async def session(database: str) -> AsyncIterator[Session]:
    session = Session(database, name="test", connect_timeout=5, pinned=True)
    yield session
    await session.aclose()


@pytest.fixture
def worker_rows(connection: psycopg.Connection[Any]) -> None:
    for _ in range(3):
        connection.execute("SELECT procrastinate_register_worker_v1()")


WAITS = """
    SELECT FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


def put(connection: psycopg.Connection[Any], **columns: Any) -> int:
    row = {"task_name": "known", "queue_name": "default", **columns}
    names = ", ".join(row)
    marks = ", ".join(f"%({name})s" for name in row)
    found = connection.execute(
        f"INSERT INTO procrastinate_jobs ({names}) VALUES ({marks}) RETURNING id", row
    ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.fixture
def claim(manager: RunManager, session: Session) -> Any:
    async def claim(
        free: int = 10, worker_id: int = 1, queues: list[str] | None = None
    ) -> list[Claim]:
        claims, _ = await manager.claim_runs(
            session, worker_id=worker_id, jobs=["known"], queues=queues, free=free
        )
        return claims

    return claim


def ended(claim: Claim, outcome: Outcome = Outcome.SUCCEEDED, **changes: Any) -> EndedRun:
    failure = None if outcome is Outcome.SUCCEEDED else Failure("E", "m", "t")
    now = time.monotonic()
    return replace(
        EndedRun(claim=claim, outcome=outcome, started=now, finished=now, failure=failure),
        **changes,
    )


def rows(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return connection.execute(query).fetchall()


async def test_claims_by_priority_then_age(connection: Any, claim: Any) -> None:
    first, second = put(connection), put(connection)
    urgent = put(connection, priority=5)
    assert [c.queue_job_id for c in await claim()] == [urgent, first, second]


async def test_claims_no_more_than_is_free(connection: Any, claim: Any) -> None:
    for _ in range(5):
        put(connection)
    assert len(await claim(free=3)) == 3
    assert rows(connection, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == [
        (3,)
    ]


async def test_claims_only_names_it_knows(connection: Any, claim: Any) -> None:
    put(connection, task_name="unknown")
    assert await claim() == []
    assert rows(connection, "SELECT status FROM procrastinate_jobs") == [("todo",)]


async def test_claims_only_its_queues(connection: Any, claim: Any) -> None:
    put(connection, queue_name="other")
    mine = put(connection, queue_name="mine")
    assert [c.queue_job_id for c in await claim(queues=["mine"])] == [mine]


async def test_claims_nothing_before_its_time(connection: Any, claim: Any) -> None:
    put(connection, scheduled_at="2999-01-01")
    due = put(connection, scheduled_at="2001-01-01")
    assert [c.queue_job_id for c in await claim()] == [due]


async def test_claims_one_of_a_lock_at_a_time_in_order(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    first, second, urgent = (
        put(connection, lock="L"), put(connection, lock="L"), put(connection, lock="L", priority=1)
    )  # fmt: skip
    other = put(connection, lock="M")
    order = []
    for expected in ({urgent, other}, {first}, {second}):
        claims = await claim()
        assert {c.queue_job_id for c in claims} == expected
        order += claims
        await manager.close_runs(session, worker_id=1, ended=[ended(c) for c in claims])
    assert len(order) == 4


@pytest.mark.fault("P12")
async def test_a_later_job_does_not_hold_back_its_lock(connection: Any, claim: Any) -> None:
    put(connection, lock="L", scheduled_at="2999-01-01")
    due = put(connection, lock="L")
    assert [c.queue_job_id for c in await claim()] == [due]


async def test_an_unknown_job_keeps_its_place_in_the_lock_order(
    connection: Any, claim: Any
) -> None:
    put(connection, lock="L", task_name="unknown")
    put(connection, lock="L")
    assert await claim() == []


@pytest.mark.fault("P15", "P33")
async def test_a_close_writes_queue_row_and_ledger_together(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    good, bad = put(connection), put(connection, lock="L")
    claims = {c.queue_job_id: c for c in await claim()}
    refused = await manager.close_runs(
        session, worker_id=1,
        ended=[ended(claims[good]), ended(claims[bad], Outcome.FAILED)],
    )  # fmt: skip
    assert refused == []
    assert rows(
        connection, "SELECT id, status, attempts, worker_id FROM procrastinate_jobs ORDER BY id"
    ) == [(good, "succeeded", 1, None), (bad, "failed", 1, None)]
    assert rows(
        connection,
        "SELECT run_id, outcome, error_class, error_message, traceback, lock_key FROM queue_worker.run ORDER BY 1",
    ) == [
        (f"{good}.1", "succeeded", None, None, None, None),
        (f"{bad}.1", "failed", "E", "m", "t", "L"),
    ]
    assert rows(
        connection,
        "SELECT type FROM procrastinate_events WHERE job_id = 1 ORDER BY id",
    ) == [("deferred",), ("started",), ("succeeded",)]


async def test_a_close_sent_twice_changes_nothing(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    put(connection)
    (one,) = await claim()
    for _ in range(2):
        assert await manager.close_runs(session, worker_id=1, ended=[ended(one)]) == []
    assert rows(connection, "SELECT outcome FROM queue_worker.run") == [("succeeded",)]


@pytest.mark.fault("F4", "P1")
async def test_a_late_close_of_a_rescued_run_changes_no_live_row(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    """Procrastinate's finish_job would mark the second worker's run as succeeded."""
    queue_job_id = put(connection)
    (zombie,) = await claim(worker_id=1)
    connection.execute(
        "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, attempts = 1"
    )
    (alive,) = await claim(worker_id=2)
    late = ended(zombie)
    assert await manager.close_runs(session, worker_id=1, ended=[late]) == [late]
    assert rows(connection, "SELECT status, worker_id FROM procrastinate_jobs") == [("doing", 2)]
    assert await manager.close_runs(session, worker_id=2, ended=[ended(alive)]) == []
    assert rows(
        connection, "SELECT attempt, outcome, error_class FROM queue_worker.run ORDER BY 1"
    ) == [(1, "lost", "ClaimLost"), (2, "succeeded", None)]
    assert rows(connection, "SELECT status FROM procrastinate_jobs") == [("succeeded",)]
    assert rows(connection, "SELECT actor, action, subject FROM queue_worker.audit_log") == [
        ("worker:1", "close.refused", f"run:{queue_job_id}.1")
    ]


@pytest.mark.fault("P1")
async def test_a_late_close_of_a_run_that_the_reaper_has_recorded_is_refused_and_audited_once(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    """The reaper's row names the dead worker: it must not pass for that worker's own close."""
    queue_job_id = put(connection)
    connection.execute(
        "INSERT INTO queue_worker.worker"
        " (worker_id, kind, host, pid, version, registry_digest, queues, concurrency,"
        " last_heartbeat_at) VALUES (1, 'worker', 'h', 1, 'v', 'd', '{}', 1, now() - interval '1 h')"
    )
    (zombie,) = await claim(worker_id=1)
    connection.execute("SELECT queue_worker.rescue_worker(1, 2)")
    late = ended(zombie)
    for _ in range(2):  # the second time as if the answer of the first had got lost
        assert await manager.close_runs(session, worker_id=1, ended=[late]) == [late]
    assert rows(connection, "SELECT outcome, error_class FROM queue_worker.run") == [
        ("lost", "WorkerLost")
    ]
    refused = "SELECT subject FROM queue_worker.audit_log WHERE action = 'close.refused'"
    assert rows(connection, refused) == [(f"run:{queue_job_id}.1",)]


@pytest.mark.fault("P1")
async def test_the_same_worker_cannot_close_its_earlier_attempt(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    put(connection)
    (earlier,) = await claim()
    connection.execute(
        "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, attempts = 1"
    )
    await claim()
    late = ended(earlier)
    assert await manager.close_runs(session, worker_id=1, ended=[late]) == [late]
    assert rows(connection, "SELECT status FROM procrastinate_jobs") == [("doing",)]


@pytest.mark.fault("P2")
async def test_a_late_close_of_a_waiting_row_changes_nothing(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    """Procrastinate's finish_job accepts `todo`: the job would never run again."""
    put(connection)
    (one,) = await claim()
    connection.execute("UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL")
    late = ended(one)
    assert await manager.close_runs(session, worker_id=1, ended=[late]) == [late]
    assert rows(connection, "SELECT status FROM procrastinate_jobs") == [("todo",)]


async def test_a_retry_goes_back_to_the_queue_and_is_recorded(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    put(connection)
    (one,) = await claim()
    await manager.close_runs(
        session, worker_id=1, ended=[ended(one, Outcome.FAILED, retry_wait=60.0)]
    )
    assert rows(
        connection, "SELECT status, attempts, scheduled_at > now() FROM procrastinate_jobs"
    ) == [("todo", 1, True)]
    assert rows(connection, "SELECT outcome, retry_at > now() FROM queue_worker.run") == [
        ("failed", True)
    ]


async def test_a_returned_claim_is_not_charged(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    put(connection)
    claims = await claim()
    await manager.return_runs(session, worker_id=1, claims=claims, wait=0)
    (again,) = await claim(worker_id=2)
    assert again.attempt == 1
    assert rows(connection, "SELECT count(*) FROM queue_worker.run") == [(0,)]


async def test_a_retry_whose_twin_waits_leaves_the_work_to_it(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    """A scheduled job with a retry policy fails while its next tick waits already."""
    put(connection, queueing_lock="Q")
    (one,) = await claim()
    twin = put(connection, queueing_lock="Q")
    failed = ended(one, Outcome.FAILED, retry_wait=0.0)
    assert await manager.close_runs(session, worker_id=1, ended=[failed]) == []
    assert rows(connection, "SELECT status FROM procrastinate_jobs ORDER BY id") == [
        ("failed",),
        ("todo",),
    ]
    assert rows(connection, "SELECT outcome, retry_at FROM queue_worker.run") == [("failed", None)]
    assert [c.queue_job_id for c in await claim()] == [twin]


async def test_a_returned_claim_whose_twin_waits_is_not_lost(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    put(connection, queueing_lock="Q")
    claims = await claim()
    put(connection, queueing_lock="Q")
    await manager.return_runs(session, worker_id=1, claims=claims, wait=0)
    assert rows(connection, "SELECT status FROM procrastinate_jobs") == [("todo",), ("todo",)]


async def test_an_orphan_whose_twin_waits_is_given_back(
    connection: Any, claim: Any, session: Session
) -> None:
    put(connection, queueing_lock="Q")
    await claim()
    put(connection, queueing_lock="Q")
    assert await session.fetch("return_orphans", {"worker_id": 1, "known": []}) == [(1,)]
    assert rows(connection, "SELECT status FROM procrastinate_jobs") == [("todo",), ("todo",)]


async def test_a_return_sent_twice_leaves_a_new_claim_alone(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    """Its answer got lost, and meanwhile the same worker has claimed the job again."""
    put(connection)
    claims = await claim()
    await manager.return_runs(session, worker_id=1, claims=claims, wait=0)
    assert len(await claim()) == 1
    await manager.return_runs(session, worker_id=1, claims=claims, wait=0)
    assert rows(connection, "SELECT status FROM procrastinate_jobs") == [("doing",)]


@pytest.mark.fault("F15")
async def test_mixed_priorities_on_one_lock_end_no_claim(
    connection: Any, database: str, manager: RunManager
) -> None:
    """A job of higher priority that arrives while another claim is under way makes procrastinate's
    fetch raise UniqueViolation; ours looks again."""
    put(connection, lock="L")
    blocker = await psycopg.AsyncConnection.connect(database)
    async with blocker:
        await blocker.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = 3")
        put(connection, lock="L", priority=9)
        session = Session(database, name="test", connect_timeout=5)
        claiming = asyncio.create_task(
            manager.claim_runs(session, worker_id=1, jobs=["known"], queues=["default"], free=5)
        )
        await eventually_async(lambda: rows(connection, WAITS))
        await blocker.commit()
        assert await claiming == ([], math.inf)
        await session.aclose()


async def test_procrastinates_own_worker_works_beside_ours(
    connection: Any, database: str, claim: Any, manager: RunManager, session: Session
) -> None:
    app = App(connector=PsycopgConnector(conninfo=database))
    done = []

    @app.task(name="theirs", queue="theirs")
    async def theirs(n: int) -> None:
        done.append(n)

    mine = put(connection)
    async with app.open_async():
        await theirs.defer_async(n=1)
        assert [c.queue_job_id for c in await claim()] == [mine]
        await app.run_worker_async(wait=False, queues=["theirs"], install_signal_handlers=False)
    assert done == [1]


async def test_what_is_given_back_is_counted_and_the_next_claim_knows(
    connection: Any, claim: Any, manager: RunManager, session: Session
) -> None:
    put(connection)
    for outcome, restarts, losses in (
        (Outcome.LOST, 1, 1), (Outcome.CANCELLED, 2, 1), (Outcome.FAILED, 2, 1)
    ):  # fmt: skip
        (one,) = await claim()
        given_back = ended(one, outcome, retry_wait=-1.0)
        assert await manager.close_runs(session, worker_id=1, ended=[given_back]) == []
        (again,) = await claim()
        assert (again.restarts, again.losses) == (restarts, losses)
        await manager.return_runs(session, worker_id=1, claims=[again], wait=-1)
