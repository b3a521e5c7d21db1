"""Postgres goes away and comes back: workers stay, say so, and carry on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from tests.support.eventually import eventually
from tests.support.faults import Scene
from tests.support.postgres import Server
from tests.support.processes import call, environment


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """The server is down, as after a crash."""
    server.stop("immediate")
    try:
        yield
    finally:
        server.start()


@pytest.mark.fault("F5", "P24")
def test_idle_workers_survive_a_restart_and_go_on_within_10_seconds(
    server: Server, outage: Scene
) -> None:
    """Postgres restarts while nothing runs."""
    workers = [outage.start_worker() for _ in range(2)]
    with stopped(server):
        pass
    outage.check_goes_on(within=10)
    for worker in workers:
        worker.wait_for("database.unavailable")
    outage.check_stops(*workers)


def test_busy_workers_survive_a_restart_and_no_locked_run_overlaps(
    server: Server, outage: Scene
) -> None:
    """Postgres restarts in mid-run: free runs end as if nothing had been, locked ones are lost."""
    workers = [outage.start_worker() for _ in range(2)]
    free, locked = outage.begin("work", seconds=4), outage.begin("locked_again", seconds=4)
    with stopped(server):
        pass
    outage.wait_for_run(free, "succeeded")
    assert outage.wait_for_run(locked, "lost")["error_class"] == "LockSessionLost"
    outage.wait_for_run(locked, "succeeded", attempt=2)
    outage.check_nothing_lost(free, locked)
    outage.check_no_overlap()
    outage.check_stops(*workers)


@pytest.mark.fault("F6", "P9")
@pytest.mark.parametrize(
    "seconds",
    [3, pytest.param(45, marks=[pytest.mark.slow_soak, pytest.mark.timeout(240)])],
)
def test_a_run_that_ends_during_an_outage_is_closed_after_it(
    server: Server, outage: Scene, seconds: float
) -> None:
    """Postgres is down when the job ends; nobody runs it a second time."""
    workers = [outage.start_worker() for _ in range(2)]
    job = outage.begin("work_again", seconds=1)
    with stopped(server):
        eventually(lambda: outage.notes.ended(f"{job}.1"))
        time.sleep(seconds)  # the fault itself
    assert outage.wait_for_run(job, "succeeded", within=15)["attempt"] == 1
    assert len(outage.notes.lines("start")) == 1
    outage.check_goes_on()
    outage.check_stops(*workers)


@pytest.mark.slow
def test_an_outage_longer_than_the_silence_limit_makes_nobody_dead(
    server: Server, outage: Scene
) -> None:
    """When the server is back nobody's heartbeat is fresh; that is evidence against nobody."""
    workers = [outage.start_worker() for _ in range(3)]
    job = outage.begin("work_again", seconds=30)
    with stopped(server):
        time.sleep(14)  # the fault itself: longer than others wait for a silent worker
    outage.wait_for_run(job, "succeeded", within=40)
    assert outage.rows("SELECT count(*) FROM queue_worker.worker WHERE ended_how = 'lost'") == [
        (0,)
    ]
    assert not [
        line for worker in workers for line in worker.lines if line["event"] == "worker.frozen"
    ]
    outage.check_stops(*workers)


@pytest.mark.fault("F7", "P9", "P21")
@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_a_close_that_is_blocked_is_tried_until_it_succeeds(stage: Scene, limit: str) -> None:
    """Somebody has locked the row, and the server ends our statement."""
    dsn = psycopg.conninfo.make_conninfo(stage.dsn, options=f"-c {limit}=1000")
    worker = stage.start_worker(dsn=dsn)
    job = stage.begin("work", seconds=1)
    with psycopg.connect(stage.dsn) as blocker:
        blocker.execute("SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE", [job])
        worker.wait_for("job.close_blocked")
        stage.check_goes_on()  # meanwhile others are carried out
        told = [line for line in worker.lines if line.get("run_id") == f"{job}.1"]
        assert "job.succeeded" not in {line["event"] for line in told}
    assert stage.wait_for_run(job, "succeeded", within=10)["attempt"] == 1
    stage.check_stops(worker)


@pytest.mark.fault("F8")
@pytest.mark.slow
def test_a_worker_that_cannot_renew_its_heartbeat_ends_its_locked_runs(stage: Scene) -> None:
    """The table of workers is locked: nobody can prove that he lives, or that another is dead."""
    workers = [stage.start_worker() for _ in range(2)]
    locked, free = stage.begin("locked_again", seconds=14), stage.begin("work", seconds=18)
    with psycopg.connect(stage.dsn) as blocker:
        blocker.execute("LOCK TABLE queue_worker.worker IN EXCLUSIVE MODE")
        time.sleep(16)  # the fault itself: longer than others wait for a silent worker
    lost = stage.wait_for_run(locked, "lost")
    assert lost["error_class"] == "WorkerSilent"
    stage.wait_for_run(free, "succeeded")
    stage.wait_for_run(locked, "succeeded", attempt=2, within=40)
    assert stage.rows("SELECT count(*) FROM queue_worker.worker WHERE ended_at IS NOT NULL") == [
        (0,)
    ]
    for worker in workers:
        worker.wait_for("worker.fenced")
        assert "worker.frozen" not in {line["event"] for line in worker.lines}
    stage.check_no_overlap()
    stage.check_stops(*workers)


@pytest.mark.fault("F9", "P24")
def test_without_its_listener_a_worker_listens_again_at_once(stage: Scene) -> None:
    """The listener's backend is terminated; the poll is too slow to help."""
    worker = stage.start_worker(QUEUE_WORKER_POLL_INTERVAL="60")
    stage.check_goes_on(within=5)
    listener = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE application_name = 'queue_worker listener' AND datname = current_database()"
    )
    ((before,),) = stage.rows(listener)
    stage.rows("SELECT pg_terminate_backend(%s)", before)
    unheard = stage.enqueue("work")
    asked = time.time()
    eventually(lambda: {pid for (pid,) in stage.rows(listener)} - {before})
    heard = stage.enqueue("work")
    for job in (unheard, heard):
        stage.wait_for_run(job, "succeeded", within=5)
    assert stage.notes.time_of_start(f"{unheard}.1") - asked < 1
    stage.check_stops(worker)


@pytest.mark.fault("P27")
def test_without_notifications_the_poll_finds_the_jobs(stage: Scene) -> None:
    """A job that nobody was told of."""
    worker = stage.start_worker()
    stage.rows("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
    stage.check_goes_on(within=5)
    stage.check_stops(worker)


@pytest.mark.fault("F10", "P24")
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_all_backends_killed_at_once_nothing_is_lost(stage: Scene, busy: bool) -> None:
    """Every connection of every worker is terminated."""
    workers = [stage.start_worker() for _ in range(2)]
    jobs = [stage.begin("work", seconds=2), stage.begin("locked_again", seconds=2)] if busy else []
    stage.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE 'queue_worker %%' AND datname = current_database()"
        " AND application_name <> 'queue_worker client'"
    )
    stage.check_goes_on(within=10)
    for job in jobs:
        stage.wait_until_succeeded(job)
    stage.check_nothing_lost(*jobs)
    stage.check_no_overlap()
    stage.check_stops(*workers)


@pytest.mark.fault("F12")
def test_without_connection_slots_the_start_fails_clearly_and_in_time(
    server: Server, outage: Scene
) -> None:
    """All slots of the server are taken."""
    env = environment(
        outage.dsn, QUEUE_WORKER_APP="tests.support.fault_jobs:registry", PYTHONWARNINGS="default"
    )
    with ExitStack() as stack:
        _take_all_slots(server, stack)
        began = time.monotonic()
        refused = call(env, "worker")
    assert refused.returncode == 69, refused.stderr
    assert "too many clients" in refused.stderr
    assert time.monotonic() - began < 5 + 3  # connect timeout, and Python's own start


def _take_all_slots(server: Server, stack: ExitStack) -> None:
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            stack.enter_context(psycopg.connect(server.dsn()))


@pytest.mark.fault("F13")
@pytest.mark.slow
def test_fifty_runs_at_once_need_few_connections_and_starve_no_heartbeat(stage: Scene) -> None:
    """Concurrency 50."""
    worker = stage.start_worker("--concurrency", "50")
    jobs = stage.enqueue_many("work", 400, seconds=0.5)
    oldest, most = 0.0, 0
    while stage.rows("SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') LIMIT 1"):
        ((age, connections),) = stage.rows(
            "SELECT extract(epoch FROM clock_timestamp() - min(last_heartbeat_at))::float8,"
            " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            "   AND application_name LIKE 'queue_worker%%' AND application_name NOT LIKE '%%client')"
            " FROM queue_worker.worker"
        )
        oldest, most = max(oldest, age), max(most, connections)
        time.sleep(0.1)
    assert oldest < 4
    assert most <= 8
    stage.check_nothing_lost(*jobs)
    stage.check_stops(worker)


@pytest.mark.fault("F38")
def test_a_long_snapshot_does_not_make_claims_slow(stage: Scene) -> None:
    """Somebody's transaction stays open and keeps what is finished from being cleaned away."""
    with psycopg.connect(stage.dsn) as holder:
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("SELECT count(*) FROM procrastinate_jobs")
        worker = stage.start_worker()
        bulk = stage.enqueue_many("noop", 3000)
        stage.check_nothing_lost(*bulk, within=60)
        waits = []
        for _ in range(20):
            asked = time.time()
            job = stage.enqueue("work")
            stage.wait_for_run(job, "succeeded")
            waits.append(stage.notes.time_of_start(f"{job}.1") - asked)
        assert sorted(waits)[-2] < 0.5, waits
    stage.check_stops(worker)
