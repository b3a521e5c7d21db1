"""A fleet under a planned series of faults: who was hit by what and when is all recorded."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psycopg
from psycopg.types.json import Jsonb

from queue_worker import EnqueueRequest, QueueWorkerError, SyncQueueClient
from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from queue_worker.settings import load_settings
from tests.support import soak_plain
from tests.support.postgres import Server, temporary_server
from tests.support.processes import REPOSITORY, command, environment
from tests.support.proxy import Proxy, proxy_to
from tests.support.soak_jobs import registry

LOCK_KEYS = 8
BATCH = 25
# What is asked for, and how long it takes; the longer, the fewer.
MIX = (
    ("quick", 0.45, 0.0, 0.05),
    ("locked", 0.25, 0.01, 0.15),
    ("once", 0.12, 0.05, 0.4),
    ("flaky", 0.08, 0.0, 0.1),
    ("child", 0.06, 0.0, 0.2),
    ("long", 0.04, 2.0, 8.0),
)


@dataclass(frozen=True)
class Plan:
    """How long, how much, and what goes wrong."""

    jobs: int = 5_000
    workers: int = 4
    kills: int = 25
    restarts: int = 5
    stops: int = 8
    drains: int = 8
    black_holes: int = 2
    longest_stop: float = 25.0
    minutes: float = 5.0
    seed: int = 1
    plain: bool = False


@dataclass
class Fault:
    """Something that was done to one process, or (pid 0) to the server."""

    kind: str
    pid: int
    at: float
    until: float


@dataclass
class Record:
    """What the soak has done, on the monotonic clock that the jobs' ledger goes by."""

    faults: list[Fault] = field(default_factory=list)
    deaths: dict[int, float] = field(default_factory=dict)
    exits: list[tuple[str, int]] = field(default_factory=list)  # cause, exit code
    accepted: set[int] = field(default_factory=set)


class Member:
    """One place in the fleet: a worker behind a proxy of its own, started again when it ends."""

    def __init__(
        self, proxy: Proxy, plan: Plan, ledger: Path, log: IO[bytes], done: Record
    ) -> None:
        self.proxy = proxy
        self._plan = plan
        self._ledger = ledger
        self._log = log
        self._done = done
        self.busy_until = 0.0
        self.start()

    def start(self) -> None:
        self.cause = "none"
        arguments = (
            [sys.executable, "-m", "tests.support.soak_plain", "work"]
            if self._plan.plain
            else command("worker", "--concurrency", "8")
        )
        env = environment(
            self.proxy.dsn,
            SOAK_LEDGER=str(self._ledger),
            QUEUE_WORKER_APP="tests.support.soak_jobs:registry",
            QUEUE_WORKER_DRAIN_TIMEOUT="5",
            QUEUE_WORKER_CANCEL_GRACE="1",
            QUEUE_WORKER_LOG_FORMAT="json",
        )
        self.process = subprocess.Popen(
            arguments, env=env, cwd=REPOSITORY, stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    def look(self) -> None:
        """Start it again if it has ended."""
        code = self.process.poll()
        if code is not None:
            self._done.deaths.setdefault(self.process.pid, time.monotonic())
            self._done.exits.append((self.cause, code))
            self.start()

    def kill(self) -> Fault:
        self.cause = "kill"
        fault = Fault("kill", self.process.pid, time.monotonic(), time.monotonic())
        self.process.send_signal(signal.SIGKILL)
        self._done.deaths[self.process.pid] = fault.at
        self.process.wait(10)
        return fault

    def drain(self) -> Fault:
        self.cause = "drain"
        self.process.send_signal(signal.SIGTERM)
        return Fault("drain", self.process.pid, time.monotonic(), time.monotonic())

    def stop_for(self, seconds: float) -> Fault:
        self.cause = "stop"
        process = self.process
        process.send_signal(signal.SIGSTOP)
        fault = Fault("stop", process.pid, time.monotonic(), float("inf"))

        def resume() -> None:
            fault.until = time.monotonic()
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)

        threading.Timer(seconds, resume).start()
        return fault

    def cut_off_for(self, seconds: float) -> Fault:
        self.cause = "black hole"
        self.proxy.swallow()
        fault = Fault("black hole", self.process.pid, time.monotonic(), float("inf"))

        def restore() -> None:
            fault.until = time.monotonic()
            self.proxy.forward()

        threading.Timer(seconds, restore).start()
        return fault

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


@dataclass
class Soak:
    """Everything that a check needs to know."""

    plan: Plan
    record: Record
    dsn: str
    ledger: Path
    seconds: float
    left: int
    clock_offset: float


@contextmanager
def soaked(plan: Plan, folder: Path) -> Iterator[Soak]:
    """Carry out the plan; the database lives as long as the block."""
    ledger, record, chance = folder / "ledger", Record(), random.Random(plan.seed)
    ledger.touch()
    with ExitStack() as stack:
        server = stack.enter_context(
            temporary_server(os.environ.get("TEST_POSTGRES", "18"), {"max_connections": "200"})
        )
        _create(server.dsn(), plan)
        log = stack.enter_context((folder / "workers.log").open("ab"))
        proxies = [stack.enter_context(proxy_to(server.dsn())) for _ in range(plan.workers)]
        members = [Member(proxy, plan, ledger, log, record) for proxy in proxies]
        began = time.monotonic()
        try:
            _run(plan, server=server, members=members, record=record, chance=chance, began=began)
            left = _drain(plan, server.dsn(), members)
        finally:
            for member in members:
                member.end()
        offset = time.time() - time.monotonic()
        yield Soak(plan, record, server.dsn(), ledger, time.monotonic() - began, left, offset)


def _create(dsn: str, plan: Plan) -> None:
    if plan.plain:
        os.environ["DATABASE_URL"] = dsn
        asyncio.run(soak_plain.create())
    else:
        with connect(dsn, name="soak") as connection:
            migrate(connection)


def _run(
    plan: Plan,
    *,
    server: Server,
    members: list[Member],
    record: Record,
    chance: random.Random,
    began: float,
) -> None:
    """Enqueue evenly, and do to the fleet what the plan says, at moments drawn beforehand."""
    length = plan.minutes * 60
    kinds = (
        ["kill"] * plan.kills
        + ["restart"] * plan.restarts
        + ["stop"] * plan.stops
        + ["drain"] * plan.drains
        + ["black hole"] * plan.black_holes
    )
    chance.shuffle(kinds)
    step = length / (len(kinds) + 1)
    due = [began + step * (i + chance.uniform(0.6, 1.4)) for i in range(len(kinds))]
    enqueuing = threading.Thread(
        target=_enqueue, args=(plan, server.dsn(), record, random.Random(plan.seed), length)
    )
    enqueuing.start()
    waiting = sorted(zip(due, kinds, strict=True))
    next_rescue = began
    while waiting or enqueuing.is_alive():
        for member in members:
            member.look()
        if waiting and time.monotonic() >= waiting[0][0]:
            _do(
                waiting.pop(0)[1],
                plan=plan,
                server=server,
                members=members,
                record=record,
                chance=chance,
            )
        if plan.plain and time.monotonic() >= next_rescue:
            _rescue()
            next_rescue = time.monotonic() + 2
        time.sleep(0.02)
    enqueuing.join()


def _do(
    kind: str,
    *,
    plan: Plan,
    server: Server,
    members: list[Member],
    record: Record,
    chance: random.Random,
) -> None:
    if kind == "restart":
        at = time.monotonic()
        server.stop("immediate")
        server.start()
        record.faults.append(Fault("restart", 0, at, time.monotonic()))
        return
    free = [member for member in members if member.busy_until < time.monotonic()]
    member = chance.choice(free or members)
    seconds = chance.uniform(5, plan.longest_stop)
    if kind == "kill":
        record.faults.append(member.kill())
        member.look()
        member.busy_until = time.monotonic() + 2
    elif kind == "drain":
        record.faults.append(member.drain())
        member.busy_until = time.monotonic() + 2
    elif kind == "stop":
        record.faults.append(member.stop_for(seconds))
        member.busy_until = time.monotonic() + seconds + 3
    else:
        record.faults.append(member.cut_off_for(seconds))
        member.busy_until = time.monotonic() + seconds + 3


def _enqueue(plan: Plan, dsn: str, record: Record, chance: random.Random, length: float) -> None:
    began, wanted = time.monotonic(), plan.jobs
    while len(record.accepted) < wanted:
        batch = draw_jobs(chance, min(BATCH, wanted - len(record.accepted)))
        try:
            record.accepted.update(
                _enqueue_plain(dsn, batch) if plan.plain else enqueue_ours(dsn, batch)
            )
        except (psycopg.Error, QueueWorkerError):
            time.sleep(0.2)  # the server is away; what was not confirmed is asked for anew
        ahead = began + length * len(record.accepted) / wanted - time.monotonic()
        time.sleep(max(0.0, ahead))


def draw_jobs(chance: random.Random, count: int) -> list[tuple[str, float, str | None]]:
    """So many jobs of the mix: their names, seconds and lock keys."""
    spans = {name: (shortest, longest) for name, _, shortest, longest in MIX}
    return [
        (
            name,
            round(chance.uniform(*spans[name]), 3),
            f"key-{chance.randrange(LOCK_KEYS)}" if name == "locked" else None,
        )
        for name in chance.choices(list(spans), [m[1] for m in MIX], k=count)
    ]


def enqueue_ours(dsn: str, batch: list[tuple[str, float, str | None]]) -> list[int]:
    """Enqueue jobs of these names, seconds and lock keys; returns their ids once it is committed."""
    requests = [
        EnqueueRequest(job=name, args={"seconds": seconds}, lock_key=lock_key)
        for name, seconds, lock_key in batch
    ]
    with (
        SyncQueueClient(registry, load_settings(database_url=dsn)) as client,
        connect(dsn, name="soak") as connection,
    ):
        answers = client.enqueue_many(requests, connection=connection)
    return [answer.queue_job_id for answer in answers if answer.queue_job_id is not None]


def _enqueue_plain(dsn: str, batch: list[tuple[str, float, str | None]]) -> list[int]:
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, lock)"
        " VALUES ('default', %s, %s, %s) RETURNING id"
    )
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        ids = []
        for name, seconds, lock_key in batch:
            row = cursor.execute(insert, [name, Jsonb({"seconds": seconds}), lock_key]).fetchone()
            ids.append(row[0] if row else 0)
    return ids


def _rescue() -> None:
    with suppress(Exception):
        asyncio.run(asyncio.wait_for(soak_plain.rescue(), 5))


def _drain(plan: Plan, dsn: str, members: list[Member]) -> int:
    """Wait until everything has ended; returns how much has not."""
    end = time.monotonic() + 240
    waiting = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name <> 'beat'"
    left = -1
    while left != 0 and time.monotonic() < end:
        for member in members:
            member.look()
        if plan.plain:
            _rescue()
        with suppress(psycopg.Error), psycopg.connect(dsn) as connection:
            row = connection.execute(waiting).fetchone()
            left = row[0] if row else 0
        time.sleep(0.3)
    return left
