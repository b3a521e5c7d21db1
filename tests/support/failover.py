"""A fleet that drains a queue while its primary is killed and the standby is promoted."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from queue_worker import QueueWorkerError
from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.support.eventually import eventually
from tests.support.processes import WorkerProcess, environment
from tests.support.roles import make_test_roles
from tests.support.soak import BATCH, Fault, Plan, Record, Soak, draw_jobs, enqueue_ours
from tests.support.soak_check import Figures, examine
from tests.support.standby import Pair, kill

WORKERS = 4
UNPROMOTED = 1.0  # seconds without a primary


@dataclass(frozen=True)
class Failover:
    """What became of the promises, and how long nothing was claimed.

    Attributes:
        figures: as of any soak.
        exits: the exit codes of the workers: None for one that had to be killed.
        without_primary: seconds from the kill to the end of the promotion.
        claiming_again: seconds from the end of the promotion to the next start, worker by worker.
        refused: batches that were not accepted, as there was no primary.
    """

    figures: Figures
    exits: list[int | None]
    without_primary: float
    claiming_again: list[float]
    refused: int

    @property
    def report(self) -> str:
        """For people."""
        again = ", ".join(f"{seconds:.2f}" for seconds in self.claiming_again)
        return "\n".join(
            [
                *self.figures.lines(),
                f"without a primary               {self.without_primary:.2f} s",
                f"batches refused meanwhile       {self.refused}",
                f"claiming again, each worker     {again} s after the promotion",
                f"exits of the workers            {self.exits}",
            ]
        )


def fail_over(pair: Pair, folder: Path, jobs: int, *, concurrency: int = 8) -> Failover:
    """Drain `jobs` jobs; the primary dies in the middle."""
    ledger, record = folder / "ledger", Record()
    ledger.touch()
    with connect(pair.dsn(), name="failover") as connection:
        migrate(connection)
        make_test_roles(connection)
    began = time.monotonic()
    with ExitStack() as stack:
        workers = [_start(pair, ledger, concurrency) for _ in range(WORKERS)]
        for worker in workers:
            stack.callback(worker.stop, signal.SIGKILL)
            worker.wait_for("worker.started")
        enqueuer = _Enqueuer(pair.dsn(), jobs, record)
        enqueuer.start()
        eventually(lambda: _count_ends(ledger) >= jobs / 3, within=900)
        fault = _replace_primary(pair, enqueuer)
        record.faults.append(fault)
        enqueuer.join()
        left = _wait_until_drained(pair)
        exits = [worker.stop(signal.SIGTERM) for worker in workers if worker.process.poll() is None]
        offset = time.time() - time.monotonic()
        plan = Plan(jobs=jobs, workers=WORKERS)
        soak = Soak(plan, record, pair.dsn(), ledger, time.monotonic() - began, left, offset)
        return Failover(
            examine(soak),
            [*exits, *[None] * (WORKERS - len(exits))],
            fault.until - fault.at,
            _first_starts(ledger, fault.until),
            enqueuer.refused,
        )


class _Enqueuer(threading.Thread):
    """Enqueues as fast as it is taken: one half at once, the other from `go_on` on.

    What was not confirmed is not counted, and not asked for again.
    """

    def __init__(self, dsn: str, jobs: int, record: Record) -> None:
        super().__init__(name="enqueuer", daemon=True)
        self._dsn = dsn
        self._jobs = jobs
        self._record = record
        self._chance = random.Random(1)
        self._going_on = threading.Event()
        self.refused = 0

    @property
    def accepted(self) -> int:
        return len(self._record.accepted)

    def go_on(self) -> None:
        self._going_on.set()

    def run(self) -> None:
        while self.accepted < self._jobs:
            if self.accepted >= self._jobs / 2:
                self._going_on.wait()
            count = min(BATCH, self._jobs - self.accepted)
            try:
                self._record.accepted.update(
                    enqueue_ours(self._dsn, draw_jobs(self._chance, count))
                )
            except (psycopg.Error, QueueWorkerError):
                self.refused += 1
                time.sleep(0.1)  # as any client would, before it tries again


def _start(pair: Pair, ledger: Path, concurrency: int) -> WorkerProcess:
    env = environment(
        pair.dsn(), SOAK_LEDGER=str(ledger), QUEUE_WORKER_APP="tests.support.soak_jobs:registry"
    )
    return WorkerProcess(env, "--concurrency", str(concurrency))


def _replace_primary(pair: Pair, enqueuer: _Enqueuer) -> Fault:
    pair.wait_until_synchronous()
    enqueuer.go_on()
    before = enqueuer.accepted
    eventually(lambda: enqueuer.accepted > before)  # it is at work when the primary dies
    at = time.monotonic()
    kill(pair.primary)
    time.sleep(UNPROMOTED)  # the fault itself: nobody promotes at once
    pair.promote()
    return Fault("failover", 0, at, time.monotonic())


def _count_ends(ledger: Path) -> int:
    return sum(line.startswith("end ") for line in ledger.read_text().splitlines())


def _first_starts(ledger: Path, after: float) -> list[float]:
    """For each process, how long after this moment it began a run for the first time."""
    found: dict[str, float] = {}
    for line in ledger.read_text().splitlines():
        what, *_, pid, at = line.split()
        if what == "start" and float(at) > after:
            found.setdefault(pid, float(at) - after)
    return sorted(found.values())


def _wait_until_drained(pair: Pair) -> int:
    query = (
        "SELECT count(*) FROM procrastinate_jobs"
        " WHERE status IN ('todo', 'doing') AND task_name <> 'beat'"
    )
    end, left = time.monotonic() + 900, -1
    with psycopg.connect(pair.dsn(), autocommit=True) as connection:
        while left != 0 and time.monotonic() < end:
            row = connection.execute(query).fetchone()
            left = row[0] if row else 0
            time.sleep(0.2)
    return left
