"""The states that docs/INCIDENTS.md is about, made by a real queue and real workers.

Each is a generator: it comes to its first `yield` when the incident is there, and goes on from it once
the damage is stopped: what it does then is what the page can't do, such as to repair what a job needs.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from queue_worker.governance.retention.policies import declared_policies
from queue_worker.housekeeping import with_housekeeping
from queue_worker.queue.fleet import publish_jobs
from queue_worker.session import Session
from queue_worker.settings import load_settings
from tests.support.alerts import tend
from tests.support.eventually import eventually
from tests.support.incident_jobs import registry
from tests.support.postgres import Server
from tests.support.processes import WorkerProcess, environment, worker_process
from tests.support.retention import add_queue_row, add_signal, applied, planned

JOBS = "tests.support.incident_jobs"
LAG = 30.0  # seconds; what is made older than that lags
WITHIN = 40.0  # seconds for what takes a second where nothing else goes on

Incident = Generator[None, None, None]


class World:
    """A database, the workers in it, and what its jobs depend on."""

    def __init__(self, dsn: str, folder: Path, stack: ExitStack) -> None:
        self.dsn = dsn
        self.env = environment(
            dsn,
            QUEUE_WORKER_APP=f"{JOBS}:registry",
            QUEUE_WORKER_ALERT_SINKS="log:",
            QUEUE_WORKER_ALERT_LAG=str(LAG),
            QUEUE_WORKER_HTTP_PORT="0",
            TEST_UPSTREAM=str(folder / "upstream"),
        )
        self._stack = stack
        self._upstream = folder / "upstream"
        asyncio.run(self._publish())
        # so that the page may say 41
        self.execute("SELECT setval('procrastinate_jobs_id_seq', 40)")

    def start_worker(self, *arguments: str, **env: str) -> WorkerProcess:
        worker = self._stack.enter_context(worker_process({**self.env, **env}, *arguments))
        self._stack.callback(worker.stop, signal.SIGKILL)
        return worker

    def repair(self) -> None:
        """What the jobs depend on answers again."""
        self._upstream.touch()

    def execute(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def enqueue(self, job: str, args: str = "{}") -> int:
        ((number,),) = self.execute("SELECT queue_worker.enqueue(%s, %s)", job, args)
        return int(number)

    def wait_for(self, query: str, *values: object) -> None:
        eventually(lambda: self.execute(query, *values), within=WITHIN)

    def wait_until_claimed(self, number: int) -> None:
        self.wait_for("SELECT 1 FROM procrastinate_jobs WHERE id = %s AND status = 'doing'", number)

    def wait_until_stuck(self) -> None:
        self.wait_for(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'run 41.1 imports'"
            " AND state LIKE 'idle%' AND query LIKE '%in the middle of it%'"
        )

    def stop_when_ready(self, worker: WorkerProcess) -> None:
        """Once its loops run: it has published the next tick."""
        self.wait_for("SELECT 1 FROM queue_worker.job WHERE next_due_at > now()")
        assert worker.stop() == 0

    def wait_for_alert(self, fingerprint: str) -> None:
        self.wait_for(
            "SELECT 1 FROM queue_worker.alerts_open WHERE fingerprint = %s AND told_at IS NOT NULL",
            fingerprint,
        )

    def age_queue(self) -> None:
        """What waits has waited for ten minutes."""
        self.execute(
            "UPDATE procrastinate_jobs SET queue_worker_enqueued_at = now() - interval '10 minutes'"
            " WHERE status = 'todo'"
        )

    def look(self, snapshot: str = "15 minutes") -> None:
        """Look for alerts as a worker does every ten seconds, so that no test waits for it."""
        self.execute(
            "SELECT queue_worker.look_for_alerts(%s, '60 s', '10 s', %s)", f"{LAG} s", snapshot
        )
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            tend(connection, sinks=["log"], delivery=None)

    async def _publish(self) -> None:
        session = Session(self.dsn, name="test", connect_timeout=5)
        await publish_jobs(session, with_housekeeping(registry))
        await session.aclose()


def a_job_failed(world: World) -> Incident:
    world.start_worker()
    world.enqueue("reports")
    world.wait_for_alert("JOB_FAILED:reports")
    yield
    world.repair()


def a_job_did_not_run(world: World) -> Incident:
    world.stop_when_ready(world.start_worker())
    world.execute(
        "UPDATE queue_worker.job SET schedule_since = schedule_since - interval '1 day',"
        " next_due_at = next_due_at - interval '1 day' WHERE name = 'nightly'"
    )
    world.look()
    yield


def a_queue_grows(world: World) -> Incident:
    world.start_worker("--concurrency", "1")
    world.wait_until_claimed(world.enqueue("exports"))
    for _ in range(30):
        world.enqueue("mails")
    world.age_queue()
    world.look()
    world.wait_for_alert("QUEUE_LAGGING:default")
    yield


def a_worker_died(world: World) -> Incident:
    doomed = world.start_worker()
    world.wait_until_claimed(world.enqueue("exports"))
    world.start_worker()
    doomed.stop(signal.SIGKILL)
    world.wait_for("SELECT 1 FROM queue_worker.run WHERE run_id = '41.1' AND outcome = 'lost'")
    world.wait_for("SELECT 1 FROM queue_worker.alerts_open WHERE type = 'WORKER_LOST'")
    yield
    world.repair()


def a_lock_is_held(world: World) -> Incident:
    world.start_worker()
    world.enqueue("imports", '{"stuck": true}')
    world.wait_until_stuck()
    world.enqueue("imports")
    yield


def a_lock_is_held_and_no_worker_is_left(world: World) -> Incident:
    worker = world.start_worker()
    world.wait_until_claimed(world.enqueue("imports", '{"stuck": true}'))
    world.enqueue("imports")
    worker.stop(signal.SIGKILL)
    world.wait_for(
        "SELECT 1 FROM queue_worker.worker WHERE last_heartbeat_at < clock_timestamp() - interval '2.5 s'"
    )
    world.wait_for("SELECT 1 FROM queue_worker.workers WHERE state = 'cut off'")
    yield


def postgres_was_down(world: World, server: Server) -> Incident:
    world.start_worker()
    world.enqueue("imports", '{"stuck": true}')
    world.wait_until_stuck()
    server.stop("immediate")
    try:
        yield
    finally:
        server.start()
    world.repair()
    world.wait_for("SELECT 1 FROM queue_worker.run WHERE run_id = '41.1' AND outcome = 'lost'")


def the_disk_fills(world: World) -> Incident:
    world.enqueue("mails")
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        for _ in range(500):
            add_queue_row(connection, "succeeded", 40)
        connection.execute("SELECT pg_create_physical_replication_slot('old_standby', true)")
    try:
        with psycopg.connect(world.dsn, application_name="report of grace") as holder:
            holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            holder.execute("SELECT count(*) FROM procrastinate_jobs")
            world.wait_for(
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'report of grace'"
                " AND xact_start < clock_timestamp() - interval '1 s'"
            )
            world.look(snapshot="1 s")
            yield
    except psycopg.OperationalError:  # its session was ended, as the page says
        pass
    finally:
        world.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE slot_name = 'old_standby'"
        )


def alerts_storm(world: World) -> Incident:
    world.start_worker()
    world.execute("SELECT queue_worker.enqueue('feeds.' || n) FROM generate_series(1, 12) AS n")
    world.wait_for_alert("JOB_FAILED:*")
    world.wait_for("SELECT 1 FROM queue_worker.alert_delivery WHERE state = 'delivered'")
    yield
    world.repair()


def a_bad_deploy(world: World) -> Incident:
    world.stop_when_ready(world.start_worker())
    bad = world.start_worker(QUEUE_WORKER_APP=f"{JOBS}:deployed")
    world.enqueue("mails")
    world.enqueue("reports")
    world.age_queue()
    world.wait_for_alert("JOB_FAILED:mails")
    world.look()
    world.wait_for_alert("JOB_UNKNOWN:reports")
    yield
    assert bad.stop() == 0
    world.repair()


def a_wrong_retention_policy(world: World) -> Incident:
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        add_signal(connection, "2020-01-01")
        policies = declared_policies(load_settings(database_url=world.dsn))
        applied(connection, planned(connection, policies), policies)
    yield


STATES: dict[str, Callable[..., Incident]] = {
    "A job failed": a_job_failed,
    "A job did not run": a_job_did_not_run,
    "A queue grows": a_queue_grows,
    "A worker died": a_worker_died,
    "A lock is held": a_lock_is_held,
    "A lock is held and no worker is left": a_lock_is_held_and_no_worker_is_left,
    "Postgres was down": postgres_was_down,
    "The disk fills": the_disk_fills,
    "Alerts storm": alerts_storm,
    "A bad deploy": a_bad_deploy,
    "A wrong retention policy": a_wrong_retention_policy,
}
