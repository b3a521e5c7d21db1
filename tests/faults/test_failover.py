"""The primary dies and its synchronous standby takes its place: nothing accepted is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from queue_worker import SyncQueueClient, load_registry
from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from queue_worker.settings import load_settings
from queue_worker.statements import statement
from queue_worker.worker import timing
from tests.support.eventually import eventually
from tests.support.failover import WORKERS, fail_over
from tests.support.faults import JOBS, Scene, now, scene
from tests.support.postgres import execute
from tests.support.processes import call, environment
from tests.support.roles import make_test_roles
from tests.support.standby import Pair, freeze, replicated, thaw

AGE = "SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8"


@pytest.fixture
def pair() -> Iterator[Pair]:
    with replicated(os.environ.get("TEST_POSTGRES", "18")) as found:
        yield found


@pytest.fixture
def stage(pair: Pair, tmp_path: Path) -> Iterator[Scene]:
    """A scene that knows of both servers, and is not told which one is the primary."""
    with connect(pair.dsn(), name="tests") as connection:
        migrate(connection)
        make_test_roles(connection)
    with scene(pair.plain_dsn(), tmp_path) as found:
        yield found


@contextmanager
def frozen(pair: Pair) -> Iterator[None]:
    """The primary hangs for as long as the block lasts; then it is gone for good."""
    freeze(pair.primary)
    try:
        yield
    finally:
        thaw(pair.primary)


@pytest.mark.slow
@pytest.mark.fault("F47")
@pytest.mark.parametrize(
    "jobs",
    [300, pytest.param(20_000, marks=[pytest.mark.slow_soak, pytest.mark.timeout(2400)])],
)
def test_nothing_accepted_is_lost_when_the_primary_is_killed(
    pair: Pair, tmp_path: Path, jobs: int
) -> None:
    """The primary is killed while four workers drain a queue; the standby is promoted."""
    done = fail_over(pair, tmp_path, jobs, concurrency=8 if jobs < 1000 else 20)
    print(done.report)  # noqa: T201  the figures of the long one stand in docs/RELIABILITY.md
    figures = done.figures
    assert figures.accepted == jobs
    assert (figures.lost, figures.left_doing, figures.fence_violations) == (0, 0, 0), done.report
    assert (figures.overlaps, figures.ticks_fired_twice) == ({}, 0), done.report
    assert done.refused, done.report
    assert done.exits == [0] * WORKERS, done.report
    assert done.claiming_again[0] < 5, done.report


@pytest.mark.fault("F48")
def test_a_lock_on_a_primary_that_hangs_is_given_up_before_another_takes_it(
    pair: Pair, stage: Scene
) -> None:
    """The primary hangs and the standby is promoted: a worker still believes in its lock."""
    workers = [stage.start_worker() for _ in range(2)]
    locked = stage.begin("locked_again", seconds=20)
    with frozen(pair):
        at = now()
        pair.promote()
        ended = eventually(lambda: stage.notes.ended(f"{locked}.1"))
        assert ended - at < timing.SELF_FENCE + 1
        eventually(lambda: stage.notes.started(f"{locked}.2"), within=40)
        stage.check_no_overlap()
        run = stage.wait_for_run(locked, "lost")
        assert run["error_class"] == "LockSessionLost"
        assert [worker.process.poll() for worker in workers] == [None, None]
        assert [worker.stop() for worker in workers] == [0, 0]


@pytest.mark.fault("F49")
def test_a_demoted_server_is_left_for_the_new_primary(pair: Pair, stage: Scene) -> None:
    """A switchover: the old primary lives on and its sessions stay, but it only reads."""
    worker = stage.start_worker()
    locked = stage.begin("locked", seconds=20)
    jobs = load_registry(f"{JOBS}:registry")
    with SyncQueueClient(jobs, load_settings(database_url=pair.plain_dsn())) as client:
        before = client.enqueue("noop")
        execute(pair.primary.dsn(), "ALTER SYSTEM SET default_transaction_read_only = on",
                "SELECT pg_reload_conf()")  # fmt: skip
        pair.promote()
        stage.wait_for_run(locked, "lost")
        after = client.enqueue("noop")
    for answer in (before, after):
        assert answer.queue_job_id is not None
        stage.wait_for_run(answer.queue_job_id, "succeeded")
    with psycopg.connect(pair.primary.dsn(), autocommit=True) as old:
        theirs = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        eventually(lambda: old.execute(theirs).fetchone() == (0,))
        listeners = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'listener'"
        eventually(lambda: old.execute(listeners).fetchone() == (0,))
    stage.check_stops(worker)


@pytest.mark.fault("F50")
def test_a_standby_answers_who_only_reads_and_is_no_evidence_once_promoted(
    pair: Pair, stage: Scene
) -> None:
    """Commands that read work on a hot standby; a worker refuses it; sessions vanish at a promotion."""
    stage.start_worker()
    job = stage.enqueue("noop")
    stage.wait_for_run(job, "succeeded")
    standby = environment(pair.standby.dsn())
    with psycopg.connect(pair.standby.dsn(), autocommit=True) as connection:
        views = "SELECT viewname FROM pg_views WHERE schemaname = 'queue_worker'"
        for (name,) in connection.execute(views).fetchall():
            connection.execute(f"SELECT * FROM queue_worker.{name}").fetchall()  # type: ignore[arg-type]
        states = connection.execute("SELECT state FROM queue_worker.workers").fetchall()
        assert states == [("alive",)]  # its alive lock is held elsewhere
    for arguments in (["status"], ["top", "--once"], ["timeline", "--output", "-"], ["audit"]):
        done = call(standby, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    refused = call(standby, "worker")
    assert refused.returncode == 69
    assert "read-only" in refused.stderr
    pair.promote()
    suspects = statement("find_silent_workers")
    with connect(pair.standby.dsn(), name="test") as connection:
        ((me,),) = connection.execute(
            "INSERT INTO queue_worker.worker (worker_id, kind, host, pid, version, registry_digest,"
            " queues, concurrency) VALUES (999, 'worker', 'h', 1, '0', 'd', '{}', 1) RETURNING 1000"
        ).fetchall()
        connection.execute(
            "INSERT INTO queue_worker.worker (worker_id, kind, host, pid, version, registry_digest,"
            " queues, concurrency) VALUES (%s, 'worker', 'h', 1, '0', 'd', '{}', 1)", [me]
        )  # fmt: skip
        connection.execute(
            "SELECT pg_advisory_lock(hashtextextended('queue_worker.alive.' || %s, 0))", [me]
        )
        facts = {"worker_id": me, "frozen": 12.0, "fresh": 60.0}
        ((age,),) = connection.execute(AGE).fetchall()  # of the server; this session is younger
        found = connection.execute(suspects, {**facts, "settle": age / 2}).fetchall()
        assert found == []  # nobody has been there for long enough
        found = connection.execute(suspects, {**facts, "settle": 0.0}).fetchall()
        assert 999 in {worker_id for worker_id, _, _ in found}
