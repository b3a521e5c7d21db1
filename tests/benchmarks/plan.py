"""What is measured, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

MEASUREMENTS = ("drain", "enqueue", "pickup", "growth", "lock", "idle", "overhead")
CASES = ("finished", "waiting", "later", "lock", "vacuum")
SYSTEMS = ("ours", "procrastinate", "pgqueuer")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The sizes of everything.

    Attributes:
        measurements: which ones.
        systems: names, or the first parts of names, of the systems.
        rounds: how often each is measured, the systems taking turns within a round.
        seconds: how long one measurement of a rate should take.
        workers: the numbers of worker processes that drain.
        concurrency: of our worker.
        batch: jobs a statement where many are enqueued at once.
        samples: pickups measured a round.
        rows: rows of each kind that the growth cases fill the tables with.
        locked: jobs that wait on one lock beside free ones.
        churned: jobs done while a transaction holds back vacuum.
        cases: what the growth cases fill the tables with.
        lock_jobs: jobs that share one lock.
        concurrencies: of the worker that does these.
        limit: seconds after which a measurement that does not end is cut off.
        settle: seconds without news after which workers are taken to be idle.
        idle_seconds: how long idle workers are watched.
        fleet: how many idle workers one notification goes to.
        calls: runs that the runner carries out without a database.
    """

    measurements: tuple[str, ...] = MEASUREMENTS
    systems: tuple[str, ...] = SYSTEMS
    rounds: int = 3
    seconds: float = 3.0
    workers: tuple[int, ...] = (1, 2)
    concurrency: int = 1000
    batch: int = 1_000
    samples: int = 300
    rows: int = 1_000_000
    locked: int = 10_000
    churned: int = 100_000
    cases: tuple[str, ...] = CASES
    lock_jobs: int = 200
    concurrencies: tuple[int, ...] = (1, 10)
    limit: float = 30.0
    settle: float = 3.0
    idle_seconds: float = 20.0
    fleet: int = 50
    calls: int = 20_000
