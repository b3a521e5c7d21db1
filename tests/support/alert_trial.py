"""Ten thousand failures on four workers, with alerts and without: `make alert-trial`.

Without means that the ledger writes no events: everything else is as it is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

import psycopg

from queue_worker import EnqueueRequest, SyncQueueClient, load_registry, load_settings
from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.support.eventually import eventually
from tests.support.postgres import Server, temporary_server
from tests.support.processes import command, environment
from tests.support.receiver import Receiver, receiving

JOBS = "tests.support.fault_jobs:registry"
DURABLE = {"shared_buffers": "256MB"}
Connection = psycopg.Connection[Any]


def main() -> None:
    """Measure, check and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failures", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", default="18")
    plan = parser.parse_args()
    rates: dict[str, list[float]] = {"without": [], "with": []}
    with temporary_server(plan.postgres, DURABLE) as server:
        for number in range(plan.rounds):
            order = ("without", "with") if number % 2 == 0 else ("with", "without")
            for how in order:
                rate = measure(server, how, plan.failures, plan.workers)
                rates[how].append(rate)
                say(f"{how:8}{rate:8,.0f} failures/s")
    shares = [on / off for on, off in zip(rates["with"], rates["without"], strict=True)]
    say(f"with ÷ without, paired: {median(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(server: Server, how: str, failures: int, workers: int) -> float:
    """Failures a second, from the first start to the last end that is recorded."""
    with receiving() as receiver, new_database(server) as dsn, connect(dsn, name="trial") as own:
        if how == "without":
            own.execute(
                "DROP TRIGGER run_alerts ON queue_worker.run"
            )  # a worker refuses a disabled one
        enqueue(dsn, failures)
        with fleet(dsn, receiver, workers) as processes:
            eventually(lambda: ended(own, processes) == failures, within=300)
            if how == "with":
                check_told(own, receiver, failures)
        row = own.execute(
            "SELECT extract(epoch FROM max(finished_at) - min(started_at)) FROM queue_worker.run"
            " WHERE job = 'fails'"
        ).fetchone()
        assert row
        return failures / float(row[0])


def check_told(own: Connection, receiver: Receiver, failures: int) -> None:
    """One message within the window, and the next one tells of all that were held back."""
    eventually(
        lambda: own.execute("SELECT count(*) FROM queue_worker.alert_event").fetchone() == (0,)
    )
    (first,) = eventually(receiver.told)
    assert first["held_back"] == 0
    own.execute("UPDATE queue_worker.alert SET window_ends_at = now()")
    eventually(lambda: len(receiver.told()) == 2)
    second = receiver.told()[1]
    assert (second["count"], second["held_back"]) == (failures, failures - first["count"])


def ended(own: Connection, processes: Sequence[subprocess.Popen[bytes]]) -> int:
    assert all(process.poll() is None for process in processes), "a worker has ended"
    row = own.execute("SELECT count(*) FROM queue_worker.run WHERE job = 'fails'").fetchone()
    time.sleep(0.2)  # whoever looks takes no part of what is measured
    return int(row[0]) if row else 0


def enqueue(dsn: str, failures: int) -> None:
    registry = load_registry(JOBS)
    with SyncQueueClient(registry, load_settings(database_url=dsn)) as client:
        client.enqueue_many([EnqueueRequest(job="fails")] * failures)


@contextmanager
def new_database(server: Server) -> Iterator[str]:
    name = f"trial_{time.monotonic_ns()}"
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        dsn = server.dsn(name)
        with connect(dsn, name="trial") as connection:
            migrate(connection)
        yield dsn
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def fleet(
    dsn: str, receiver: Receiver, workers: int
) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """Workers that log into nothing; stopped at the end."""
    env = environment(
        dsn,
        QUEUE_WORKER_APP=JOBS,
        QUEUE_WORKER_ALERT_SINKS=f"webhook+{receiver.url()}",
        QUEUE_WORKER_ALERT_ALLOW_PRIVATE="1",
        QUEUE_WORKER_HTTP_PORT="0",
        TEST_NOTES="/dev/null",
    )
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(command("worker"), env=env, stderr=subprocess.DEVNULL)
            )
            for _ in range(workers)
        ]
        try:
            yield processes
        finally:
            for process in processes:
                process.terminate()


if __name__ == "__main__":
    main()
