"""However much waits, a claim looks at little; and what the triggers record stays procrastinate's."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from procrastinate import PsycopgConnector

from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import Claim, EndedRun
from queue_worker.queue.floor import GROUND, Levels
from queue_worker.queue.manager import RunManager
from queue_worker.session import Session
from tests.support.plans import explained, pages_of, pin

FREE = 10
FILL = (
    "INSERT INTO procrastinate_jobs"
    " (queue_name, task_name, status, lock, priority, scheduled_at, worker_id)"
    " SELECT {queue}, {task}, {status}, {lock}, {priority}, {scheduled_at}, NULL"
    " FROM generate_series(1, {count}) AS g"
)
PLAIN = {
    "queue": "'default'", "task": "'known'", "status": "'todo'", "lock": "NULL", "priority": "0",
    "scheduled_at": "NULL", "count": "100",
}  # fmt: skip


@pytest.fixture
async def session(database: str) -> AsyncIterator[Session]:
    session = Session(database, name="test", connect_timeout=5, pinned=True)
    yield session
    await session.aclose()


@pytest.fixture
def manager(database: str, connection: psycopg.Connection[Any]) -> RunManager:
    connection.execute("SELECT procrastinate_register_worker_v1()")
    return RunManager(PsycopgConnector(conninfo=database))


def fill(connection: psycopg.Connection[Any], **columns: str) -> None:
    connection.execute(FILL.format(**(PLAIN | columns)))


def touched(
    connection: psycopg.Connection[Any],
    queues: list[str] | None = None,
    *,
    floor: Levels = GROUND,
) -> int:
    """The pages that one claim of ten looks at, with plans made while the table was empty."""
    given = {
        "worker_id": 1, "jobs": ["known"], "queues": queues, "free": FREE, "window": FREE + 16,
        "after_lock": None, **floor._asdict(),
    }  # fmt: skip
    plan = explained(connection, "claim_runs", given)
    assert plan["Actual Rows"] == FREE
    return pages_of(plan)


@pytest.mark.parametrize(
    "crowd",
    [
        {"status": "'succeeded'"},
        {},
        {"priority": "9", "scheduled_at": "now() + interval '1 day'"},
        {"priority": "g % 5", "scheduled_at": "now() + interval '1 day'"},
        {"lock": "'one'"},
        {"lock": "'key ' || g", "scheduled_at": "now() + interval '1 day'", "priority": "9"},
        {
            "lock": "'one'",
            "scheduled_at": "CASE WHEN g > 1 THEN now() + interval '1 day' END",
            "priority": "9",
        },
        {"queue": "'not served'", "priority": "9"},
        {"task": "'unknown'", "priority": "9"},
        {"task": "'paused'", "priority": "9"},
        {"task": "'paused'", "priority": "9", "scheduled_at": "now() - interval '1 day'"},
        {"task": "'paused'", "priority": "9", "lock": "'key ' || g"},
        {
            "task": "'paused'",
            "priority": "9",
            "lock": "'key ' || g",
            "scheduled_at": "now() - interval '1 day'",
        },
        {"queue": "'paused'", "priority": "9"},
    ],
    ids=[
        "finished",
        "waiting",
        "later",
        "later, mixed",
        "one lock",
        "later, locked",
        "later behind a lock",
        "elsewhere",
        "unknown",
        "paused",
        "paused, later",
        "paused, locked",
        "paused, locked, later",
        "paused queue",
    ],
)
@pytest.mark.parametrize("served", [["default", "paused"], None], ids=["two queues", "all queues"])
@pytest.mark.usefixtures("manager")
def test_a_claim_touches_as_little_in_a_crowd(
    connection: psycopg.Connection[Any], crowd: dict[str, str], served: list[str] | None
) -> None:
    connection.execute(
        "INSERT INTO queue_worker.pause (kind, name, actor, reason)"
        " VALUES ('job', 'paused', 'ada', 'because'), ('queue', 'paused', 'ada', 'because')"
    )
    pin(connection)
    fill(connection)
    touched(connection, served)  # what is read once, such as catalogs
    alone = touched(connection, served)
    connection.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
    fill(connection, count="20000", **crowd)
    connection.execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER queue_worker_record_updated")
    touched(connection, served)  # the same for the functions that only now have something to do
    assert touched(connection, served) < 3 * alone + 100
    connection.execute("ANALYZE procrastinate_jobs")  # plans that are made now are as good
    touched(connection, served)
    assert touched(connection, served) < 3 * alone + 100


@pytest.mark.parametrize("lock", ["NULL", "'key ' || g"], ids=["free", "locked"])
@pytest.mark.usefixtures("manager")
def test_what_is_scheduled_behind_a_long_history_is_found_without_reading_it(
    connection: psycopg.Connection[Any], lock: str
) -> None:
    """Half of the rows have ended, the others wait for tomorrow: the statistics say nothing helpful."""
    pin(connection)
    fill(connection)
    connection.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
    fill(connection, status="'succeeded'", count="20000")
    fill(connection, lock=lock, scheduled_at="now() + interval '1 day'", count="20000")
    connection.execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER queue_worker_record_updated")
    connection.execute("ANALYZE procrastinate_jobs")
    touched(connection)
    assert touched(connection) < 400


EARLIER = {"lock": "|| '.'", "scheduled_at": "- interval '1 hour'"}


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"scheduled_at": "now() - interval '1 minute'"},
        {"scheduled_at": "now() - interval '1 minute'", "priority": "g % 3"},
        {"lock": "'key ' || g"},
        {"lock": "'key ' || g", "scheduled_at": "now() - interval '1 minute'"},
    ],
    ids=["ready", "later", "later, mixed", "locked", "locked, later"],
)
async def test_a_claim_touches_as_little_behind_what_is_done_and_cannot_be_vacuumed(
    connection: psycopg.Connection[Any],
    database: str,
    manager: RunManager,
    session: Session,
    kind: dict[str, str],
) -> None:
    """From PostgreSQL 18 on; others walk through the index, though not to the rows."""
    pin(connection)
    fill(connection, **kind)
    touched(connection)
    alone = touched(connection)
    with psycopg.connect(database) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT FROM procrastinate_jobs LIMIT 1")
        done = {name: f"{kind[name]} {before}" for name, before in EARLIER.items() if name in kind}
        fill(connection, **kind | done | {"count": "20000"})
        for status in ("doing", "succeeded"):
            connection.execute(
                "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status", [status]
            )
        fill(connection, **kind)
        await manager.find_floor(session, queues=None)
        behind, beyond = (touched(connection, floor=at) for at in (GROUND, manager.floor.levels))
        assert behind > 5 * alone
        assert beyond < (2 * alone if connection.info.server_version >= 180000 else behind * 2 / 3)


@pytest.mark.parametrize("queues", [["default"], None], ids=["one queue", "all queues"])
async def test_the_floor_is_where_something_waits_in_the_queues_that_are_served(
    connection: psycopg.Connection[Any],
    manager: RunManager,
    session: Session,
    queues: list[str] | None,
) -> None:
    def hours_ago(hours: int) -> str:
        return f"to_timestamp({int(time.time())}) - make_interval(hours => {hours} - g)"

    def as_level(hours: int) -> int:
        return int(time.time()) - hours * 3600

    fill(connection, status="'succeeded'", count="10")
    for hours, lock in ((90, "NULL"), (50, "'one'")):
        fill(connection, queue="'other'", lock=lock, count="10")
        fill(connection, queue="'other'", lock=lock, scheduled_at=hours_ago(hours), count="10")
    for hours, lock in ((70, "NULL"), (30, "'one'")):
        fill(connection, lock=lock, priority="g % 3", task="'job ' || g % 4", count="20")
        fill(
            connection, lock=lock, scheduled_at=hours_ago(hours), priority="g % 3",
            task="'job ' || g % 4", count="20",
        )  # fmt: skip
    wanted = (
        (51, as_level(69), 91, as_level(29)) if queues else (11, as_level(89), 31, as_level(49))
    )
    await manager.find_floor(session, queues=queues)
    assert manager.floor.levels == pytest.approx(wanted, abs=2)
    assert manager.floor.levels[::2] == wanted[::2]
    connection.execute("DELETE FROM procrastinate_jobs WHERE id IN (11, 31, 51, 91)")
    await manager.find_floor(session, queues=queues)
    assert manager.floor.levels[::2] == ((52, 92) if queues else (12, 32))


@pytest.mark.parametrize("at", ["NULL", "now() - interval '1 hour'"], ids=["at once", "scheduled"])
async def test_whose_turn_it_is_for_a_lock_counts_in_all_queues_also_above_the_floor(
    connection: psycopg.Connection[Any], manager: RunManager, session: Session, at: str
) -> None:
    fill(connection, queue="'other'", lock="'one'", scheduled_at=at, count="1")
    fill(connection, lock="'one'", count="1")
    await manager.find_floor(session, queues=["default"])
    assert manager.floor.levels.locked == 2
    assert await manager.claim_runs(
        session, worker_id=1, jobs=["known"], queues=["default"], free=9
    ) == ([], math.inf)
    manager.floor.lower(0, -math.inf)  # the floor of a worker of other queues
    claims, _ = await claim(manager, session, free=9)
    assert [c.queue_job_id for c in claims] == [1]


async def test_where_nothing_waits_the_floor_is_behind_what_was_claimed_and_a_few_seconds_old(
    connection: psycopg.Connection[Any], manager: RunManager, session: Session
) -> None:
    """What was scheduled for a moment ago may be in a transaction that is just ending."""
    fill(connection, scheduled_at="now() + interval '1 hour'")
    fill(connection, count="3")
    claims, _ = await claim(manager, session, free=9)
    assert len(claims) == 3
    await manager.find_floor(session, queues=None)
    ready, later, locked, locked_later = manager.floor.levels
    assert ready == locked == 103
    assert later == locked_later
    assert 15 <= time.time() - later < 20


async def test_among_too_many_priorities_the_floor_stays_where_it_is(
    connection: psycopg.Connection[Any], manager: RunManager, session: Session
) -> None:
    fill(connection, status="'succeeded'")
    for lock in ("NULL", "'one'"):
        fill(connection, lock=lock, priority="g", count="300")
        fill(connection, lock=lock, scheduled_at="now()", priority="g", count="300")
    await manager.find_floor(session, queues=None)
    assert manager.floor.levels == GROUND


def test_the_queue_is_vacuumed_by_the_number_of_changes_and_its_indexes_with_it(
    connection: psycopg.Connection[Any],
) -> None:
    """Or the claims of a large table step over millions of dead entries."""
    query = "SELECT reloptions FROM pg_class WHERE oid = 'procrastinate_jobs'::regclass"
    ((options,),) = connection.execute(query).fetchall()
    assert {"autovacuum_vacuum_scale_factor=0", "vacuum_index_cleanup=on"} <= set(options)


async def test_one_lock_that_fills_the_window_hides_no_other(
    connection: psycopg.Connection[Any], manager: RunManager, session: Session
) -> None:
    fill(connection, lock="'held'", count="500", priority="5")
    fill(connection, lock="'free ' || g", count="3")
    first, _ = await claim(manager, session, free=1)
    assert [c.lock_key for c in first] == ["held"]
    found = set()
    for _ in range(4):
        claims, _ = await claim(manager, session, free=1)
        found |= {c.lock_key for c in claims}
    assert found == {"free 1", "free 2", "free 3"}


async def test_a_look_for_hidden_locks_that_found_none_is_not_repeated_after_each_run(
    connection: psycopg.Connection[Any], manager: RunManager, session: Session
) -> None:
    fill(connection, lock="'shared'", count="500")
    first, until_next = await claim(manager, session, free=5)
    assert (len(first), until_next) == (1, 0)
    assert await claim(manager, session, free=5) == ([], math.inf)
    await close(manager, session, first)
    second, until_next = await claim(manager, session, free=5)
    assert len(second) == 1
    assert 0 < until_next <= 0.1


async def test_a_lock_that_was_freed_meanwhile_is_looked_for_at_once(
    connection: psycopg.Connection[Any], manager: RunManager, session: Session
) -> None:
    fill(connection, lock="'wide'", count="500", priority="5")
    fill(connection, lock="'hidden'", count="2")
    wide, _ = await claim(manager, session, free=5)
    hidden, _ = await claim(manager, session, free=5)
    assert [c.lock_key for c in wide + hidden] == ["wide", "hidden"]
    assert await claim(manager, session, free=5) == ([], math.inf)
    await close(manager, session, wide + hidden)
    wide, until_next = await claim(manager, session, free=5)
    assert ([c.lock_key for c in wide], until_next) == (["wide"], 0)
    hidden, _ = await claim(manager, session, free=5)
    assert [c.lock_key for c in hidden] == ["hidden"]


async def close(manager: RunManager, session: Session, claims: list[Claim]) -> None:
    now = time.monotonic()
    ended = [EndedRun(claim, Outcome.SUCCEEDED, now, now) for claim in claims]
    assert await manager.close_runs(session, worker_id=1, ended=ended) == []


async def test_what_is_paused_is_not_claimed_and_holds_back_nobody_behind_its_lock(
    connection: psycopg.Connection[Any], manager: RunManager, session: Session
) -> None:
    connection.execute(
        "INSERT INTO queue_worker.pause (kind, name, actor, reason)"
        " VALUES ('job', 'paused', 'ada', 'because'), ('queue', 'paused', 'ada', 'because')"
    )
    for lock in ("NULL", "'shared'"):
        for at in ("NULL", "now() - interval '1 day'"):
            fill(connection, task="'paused'", lock=lock, scheduled_at=at, priority="9", count="1")
            fill(connection, queue="'paused'", lock=lock, scheduled_at=at, priority="9", count="1")
    fill(connection, lock="'shared'", count="1")
    fill(connection, count="1")

    async def claim_all() -> list[int]:
        claims, _ = await manager.claim_runs(
            session, worker_id=1, jobs=["known", "paused"], queues=None, free=20
        )
        return [c.queue_job_id for c in claims]

    assert await claim_all() == [9, 10]
    connection.execute("DELETE FROM queue_worker.pause")
    assert await claim_all() == [1, 2, 3, 4]


async def test_what_others_are_just_taking_is_passed_over(
    connection: psycopg.Connection[Any], database: str, manager: RunManager, session: Session
) -> None:
    fill(connection)
    with psycopg.connect(database) as other:
        other.execute("SELECT FROM procrastinate_jobs ORDER BY id LIMIT 60 FOR UPDATE")
        claims, until_next = await claim(manager, session, free=FREE)
    assert [c.queue_job_id for c in claims] == list(range(61, 61 + FREE))
    assert until_next == 0


async def test_what_was_scheduled_comes_by_priority_and_then_by_when_it_was_due(
    connection: psycopg.Connection[Any], manager: RunManager, session: Session
) -> None:
    fill(connection, scheduled_at="now() - make_interval(hours => g)", count="3")
    fill(connection, scheduled_at="now() - interval '1 minute'", priority="7", count="1")
    fill(connection, priority="3", count="1")
    order = [(await claim(manager, session, free=1))[0][0].queue_job_id for _ in range(3)]
    assert order[:2] == [4, 5]
    assert len((await claim(manager, session, free=9))[0]) == 2


async def test_all_workers_are_told_of_what_was_claimed_unknowingly_and_waits_again(
    connection: psycopg.Connection[Any], database: str, manager: RunManager, session: Session
) -> None:
    """Their floors may be above it."""
    fill(connection, count="3")
    (first, *_), _ = await claim(manager, session, free=3)
    with psycopg.connect(database, autocommit=True) as listening:
        listening.execute("LISTEN procrastinate_any_queue_v1")
        orphans = [{"worker_id": 1, "known": known} for known in ([1, 2, 3], [first.queue_job_id])]
        returned = [await session.fetch("return_orphans", at) for at in orphans]
        assert [sorted(rows) for rows in returned] == [[], [(2,), (3,)]]
        connection.execute("NOTIFY procrastinate_any_queue_v1, 'end'")
        told = [notification.payload for notification in listening.notifies(stop_after=2)]
    assert told == ['{"type": "job_inserted", "job_id": 0}', "end"]


async def claim(manager: RunManager, session: Session, free: int) -> Any:
    return await manager.claim_runs(session, worker_id=1, jobs=["known"], queues=None, free=free)


CHANGES = (
    FILL.format(**PLAIN | {"count": "4"}),
    FILL.format(**PLAIN | {"count": "2", "scheduled_at": "now()"}),
    FILL.format(**PLAIN | {"count": "1", "status": "'failed'"}),
    "UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'",
    "UPDATE procrastinate_jobs SET priority = 3",
    "UPDATE procrastinate_jobs SET abort_requested = true WHERE id % 7 = 0 AND status = 'doing'",
    "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id % 7 = 1 AND status = 'doing'",
    "UPDATE procrastinate_jobs SET status = 'failed' WHERE id % 7 = 2 AND status = 'doing'",
    "UPDATE procrastinate_jobs SET status = 'aborted', abort_requested = false WHERE id % 7 = 0",
    "UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = now() WHERE id % 7 IN (2, 3)",
    "UPDATE procrastinate_jobs SET status = 'cancelled' WHERE id % 7 = 3",
)
OURS = ("queue_worker_record_inserted", "queue_worker_record_updated")
THEIRS = (
    "procrastinate_trigger_status_events_insert_v1",
    "procrastinate_trigger_status_events_update_v1",
)


def test_each_statement_records_what_procrastinate_records_for_each_row(
    connection: psycopg.Connection[Any],
) -> None:
    def recorded() -> list[Any]:
        connection.execute("TRUNCATE procrastinate_jobs RESTART IDENTITY CASCADE")
        for change in CHANGES:
            connection.execute(change)
        events = "SELECT job_id, type FROM procrastinate_events ORDER BY job_id, type, at"
        return connection.execute(events).fetchall()

    ours = recorded()
    for trigger in OURS:
        connection.execute(f"ALTER TABLE procrastinate_jobs DISABLE TRIGGER {trigger}")
    for trigger in THEIRS:
        connection.execute(f"ALTER TABLE procrastinate_jobs ENABLE TRIGGER {trigger}")
    assert ours == recorded()
    assert len({kind for _, kind in ours}) == 8


AT = {seconds: f"to_timestamp({seconds}.9)" for seconds in (7, 8)}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            f"('j', 'a', 'todo', {AT[8]}), ('j', 'b', 'todo', NULL), ('j', 'a', 'todo', {AT[7]})",
            {"a": (1, 3, 2, 7), "b": (2, 2, 1, None)},
        ),
        ("('j', 'a', 'todo', NULL), ('j', 'a', 'todo', NULL)", {"a": (1, 2, 2, None)}),
        ("('j', 'a', 'todo', NULL)", {"a": (1, 1, 1, None)}),
        (f"('j', 'a', 'todo', {AT[7]})", {"a": (1, 1, 1, 7)}),
        ("('j', 'b', 'doing', NULL), ('j', 'a', 'todo', NULL)", {"a": (2, 2, 1, None)}),
        ("('j', 'a', 'doing', NULL)", {}),
    ],
)  # fmt: skip
def test_a_statement_notifies_once_for_each_queue(
    connection: psycopg.Connection[Any],
    database: str,
    rows: str,
    told: dict[str, tuple[int, int, int, int | None]],
) -> None:
    with psycopg.connect(database, autocommit=True) as listening:
        for channel in ("procrastinate_any_queue_v1", "procrastinate_queue_v1#a"):
            listening.execute(f'LISTEN "{channel}"')
        connection.execute(
            "INSERT INTO procrastinate_jobs (task_name, queue_name, status, scheduled_at)"
            f" VALUES {rows}"
        )
        connection.execute("NOTIFY procrastinate_any_queue_v1, 'end'")
        found = []
        for notification in listening.notifies():
            if notification.payload == "end":
                break
            hint = json.loads(notification.payload)
            assert hint.pop("type") == "job_inserted"
            facts = [hint.get(name) for name in ("first_id", "job_id", "count", "first_due")]
            found.append((notification.channel, *facts))
    ours = [("procrastinate_any_queue_v1", *one) for one in told.values()]
    assert sorted(found) == sorted(
        [*ours, *(("procrastinate_queue_v1#a", *told[q]) for q in told if q == "a")]
    )
