"""What a fleet costs its server by a model of its loops, for fleets that no machine here can hold.

    python -m tests.support.fleet_model --workers 1 5 20 --seconds 60     predicted beside measured

The model counts what the loops of a worker say while there is nothing to do, and what one job adds.
It is made of the constants of the code, and a test compares it with real workers.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

from queue_worker import SyncQueueClient, load_registry
from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from queue_worker.settings import Settings, load_settings
from queue_worker.worker import claimer, listener, lookout, scheduler, schema_watch, timing
from tests.support.eventually import eventually
from tests.support.postgres import temporary_server
from tests.support.processes import JOBS, WorkerProcess, environment
from tests.support.roles import make_test_roles

MINUTE = 60.0
_JITTER = 0.75  # on average of what is drawn between a half and the whole
_MOST_LOOKS = 4  # a second: those whose turn it is not gather the notifications of 0.25 s
_OF_A_JOB = 2  # it is enqueued and closed; its claim is one of the looks


@dataclass(frozen=True)
class Cost:
    """What a fleet costs.

    Attributes:
        connections: sessions that are open all the time.
        transactions: a minute, while there is nothing to do; each is one statement.
        busy_transactions: a minute, where one job a second is enqueued by itself.
        advisory_locks: held all the time.
    """

    connections: int
    transactions: float
    busy_transactions: float
    advisory_locks: int


def predict(workers: int, poll_interval: float) -> Cost:
    """What so many workers cost that serve the same queues."""
    reap = _reap_interval(workers)
    each = [
        MINUTE / poll_interval,  # claims
        MINUTE / max(claimer.RECONCILE_INTERVAL, poll_interval),
        MINUTE / timing.HEARTBEAT,
        MINUTE / timing.HEARTBEAT,  # looks at the lock session
        MINUTE / listener.PING_INTERVAL,
        MINUTE / scheduler.LONGEST_SLEEP,
        MINUTE / reap,
        MINUTE / (math.ceil(timing.REAP_OWNERLESS / reap) * reap),
        MINUTE / (min(lookout.TEND * workers, lookout.TEND_SELDOM) * _JITTER),
        MINUTE / (lookout.LOOK * workers),
        MINUTE / schema_watch.LOOK_INTERVAL,
    ]
    idle = workers * sum(each)
    told = workers * MINUTE  # a session takes in what it is notified of in a transaction
    looks = workers * min(MINUTE, MINUTE * _MOST_LOOKS)
    return Cost(
        connections=7 * workers,
        transactions=idle,
        busy_transactions=idle + told + looks + _OF_A_JOB * MINUTE,
        advisory_locks=workers,
    )


def _reap_interval(workers: int) -> float:
    share = timing.REAP_ALONE if workers == 1 else timing.REAP * workers
    return min(share, timing.REAP_SELDOM) * _JITTER


@contextmanager
def idle_fleet(dsn: str, workers: int) -> Iterator[None]:
    """So many workers that have started and have nothing to do."""
    with ExitStack() as stack:
        fleet = []
        for _ in range(workers):
            worker = WorkerProcess(environment(dsn, QUEUE_WORKER_HTTP_PORT="0"))
            stack.callback(worker.stop, signal.SIGKILL)
            fleet.append(worker)
        for worker in fleet:
            worker.wait_for("worker.started", within=120)
        with psycopg.connect(dsn, autocommit=True) as connection:
            eventually(lambda: _count_locks(connection) == workers, within=30)
        yield


def measure(dsn: str, workers: int, seconds: float) -> Cost:
    """The same as it is on this machine; where that is overloaded, every loop comes late."""
    settings = load_settings(database_url=dsn)
    with idle_fleet(dsn, workers), psycopg.connect(dsn, autocommit=True) as connection:
        time.sleep(5)  # the first looks of every loop
        idle = _count_transactions(connection, seconds)
        connections = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'queue_worker%'"
        ).fetchone()
        locks = _count_locks(connection)
        busy = _count_transactions(connection, seconds, settings)
    return Cost(connections[0] if connections else 0, idle, busy, locks)


def _count_transactions(
    connection: psycopg.Connection, seconds: float, enqueued_with: Settings | None = None
) -> float:
    """How many end a minute, our own left out; with settings one job a second is enqueued."""
    before, began = _read_transactions(connection), time.monotonic()
    with ExitStack() as stack:
        client = enqueued_with and stack.enter_context(
            SyncQueueClient(load_registry(JOBS), enqueued_with)
        )
        while time.monotonic() - began < seconds:
            if client:
                client.enqueue("noop")
            time.sleep(1)
        found = _read_transactions(connection) - before
        return (found - 1) / (time.monotonic() - began) * MINUTE


def _read_transactions(connection: psycopg.Connection) -> int:
    time.sleep(1.2)  # sessions report what they did once a second
    row = connection.execute(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database"
        " WHERE datname = current_database()"
    ).fetchone()
    return row[0] if row else 0


def _count_locks(connection: psycopg.Connection) -> int:
    row = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    ).fetchone()
    return row[0] if row else 0


def table(sizes: Sequence[int], seconds: float) -> Iterator[str]:
    """Predicted and measured, as rows of a page."""
    yield "| workers | connections | transactions a minute, idle | with one job a second |"
    yield "|---|---|---|---|"
    options = {"max_connections": str(max(sizes) * 8 + 30), "fsync": "off"}
    with temporary_server(os.environ.get("TEST_POSTGRES", "18"), options) as server:
        with connect(server.dsn(), name="model") as connection:
            migrate(connection)
            make_test_roles(connection)
        interval = load_settings(database_url=server.dsn()).poll_interval
        for workers in sizes:
            model = predict(workers, interval)
            real = measure(server.dsn(), workers, seconds)
            yield (
                f"| {workers} | {model.connections} / {real.connections} "
                f"| {model.transactions:,.0f} / {real.transactions:,.0f} "
                f"| {model.busy_transactions:,.0f} / {real.busy_transactions:,.0f} |"
            )


def large_table(poll_interval: float = 2.0) -> Iterator[str]:
    """What docs/SCALING.md says of fleets that are too large to be measured here."""
    yield "| workers | connections | transactions a second, idle | with one job a second |"
    yield "|---|---|---|---|"
    for workers in (50, 100, 200, 1000):
        cost = predict(workers, poll_interval)
        yield (
            f"| {workers:,} | {cost.connections:,} | {cost.transactions / MINUTE:,.0f} "
            f"| {cost.busy_transactions / MINUTE:,.0f} |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.fleet_model")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    for line in table(options.workers, options.seconds):
        print(line, flush=True)  # noqa: T201  a command


if __name__ == "__main__":
    main()
