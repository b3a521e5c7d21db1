"""What a test of a fault needs: a fleet, the jobs' own account, and the promises to check it by."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import psycopg.rows

from queue_worker import EnqueueRequest, Settings, SyncQueueClient, load_registry
from queue_worker.database import connect
from queue_worker.settings import load_settings
from queue_worker.worker import timing
from tests.support.eventually import eventually
from tests.support.processes import WorkerProcess, environment, worker_process

JOBS = "tests.support.fault_jobs"


@dataclass(frozen=True)
class Span:
    """One run by the account of its job: from its start to its end, or to its process's death."""

    lock_key: str
    run_id: str
    pid: int
    start: float
    end: float


class Notes:
    """The append-only file in which the jobs say what they do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self, what: str) -> list[list[str]]:
        """The words of each line that begins with `what`, without it; the time comes last."""
        found = (line.split() for line in self.path.read_text().splitlines())
        return [words for first, *words in found if first == what]

    def started(self, run_id: str) -> float | None:
        """When this run began."""
        return next((float(at) for _, id_, _, at in self.lines("start") if id_ == run_id), None)

    def ended(self, run_id: str) -> float | None:
        """When this run ended."""
        return next((float(at) for _, id_, _, at in self.lines("end") if id_ == run_id), None)

    def time_of_start(self, run_id: str) -> float:
        """When this run began; it must have."""
        at = self.started(run_id)
        assert at is not None, self.path.read_text()
        return at

    def time_of_end(self, run_id: str) -> float:
        """When this run ended; it must have."""
        at = self.ended(run_id)
        assert at is not None, self.path.read_text()
        return at

    def spans(self, deaths: Mapping[int, float] | None = None) -> list[Span]:
        """What ran when; `deaths` tells when killed processes died, by their pid."""
        ends = {run_id: float(at) for _, run_id, _, at in self.lines("end")}
        return [
            Span(
                lock_key,
                run_id,
                int(pid),
                float(at),
                ends.get(run_id, (deaths or {}).get(int(pid), float("inf"))),
            )
            for lock_key, run_id, pid, at in self.lines("start")
        ]


def overlaps(spans: list[Span]) -> list[tuple[Span, Span]]:
    """Pairs of runs that held the same lock key at the same time."""
    found = []
    latest: dict[str, Span] = {}
    for span in sorted(spans, key=lambda span: span.start):
        if span.lock_key == "-":
            continue
        before = latest.get(span.lock_key)
        if before is not None and span.start < before.end:
            found.append((before, span))
        if before is None or span.end > before.end:
            latest[span.lock_key] = span
    return found


class Scene:
    """A database, a client, the jobs' notes, and as many workers as a test starts."""

    def __init__(self, dsn: str, folder: Path, stack: ExitStack, jobs: str = "registry") -> None:
        self.dsn = dsn
        self.notes = Notes(folder / "notes")
        self.jobs = jobs
        self.settings: Settings = load_settings(database_url=dsn)
        self._stack = stack
        self.client = stack.enter_context(
            SyncQueueClient(load_registry(f"{JOBS}:{jobs}"), self.settings)
        )

    def start_worker(
        self, *arguments: str, dsn: str | None = None, jobs: str | None = None, **env: str
    ) -> WorkerProcess:
        """A worker that has started; it is killed at the end if it still lives."""
        given = {
            "TEST_NOTES": str(self.notes.path),
            "QUEUE_WORKER_APP": f"{JOBS}:{jobs or self.jobs}",
            **env,
        }
        worker = self._stack.enter_context(
            worker_process(environment(dsn or self.dsn, **given), *arguments)
        )
        self._stack.callback(worker.stop, signal.SIGKILL)
        return worker

    def enqueue(self, job: str, **args: object) -> int:
        """Enqueue one job; returns its id in the queue."""
        return self.enqueue_many(job, 1, **args)[0]

    def enqueue_many(self, job: str, count: int, **args: object) -> list[int]:
        """Enqueue the same job many times; returns the ids."""
        requests = [EnqueueRequest(job=job, args=args or None) for _ in range(count)]
        with connect(self.dsn, name="test") as connection:
            answers = self.client.enqueue_many(requests, connection=connection)
        return [answer.queue_job_id for answer in answers if answer.queue_job_id is not None]

    def begin(self, job: str, **args: object) -> int:
        """Enqueue one job and wait until it runs."""
        queue_job_id = self.enqueue(job, **args)
        eventually(lambda: self.notes.started(f"{queue_job_id}.1"))
        return queue_job_id

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query, on a new connection: the server may have been away."""
        with connect(self.dsn, name="test") as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def run(self, queue_job_id: int, attempt: int = 1) -> dict[str, Any] | None:
        """What the ledger says of one run, if it has ended."""
        with connect(self.dsn, name="test") as connection:
            cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
            return cursor.execute(
                "SELECT *, extract(epoch FROM finished_at)::float8 AS finished"
                " FROM queue_worker.run WHERE queue_job_id = %s AND attempt = %s",
                [queue_job_id, attempt],
            ).fetchone()

    def wait_for_run(
        self, queue_job_id: int, outcome: str, attempt: int = 1, *, within: float = 20.0
    ) -> dict[str, Any]:
        """The run, once it has ended as it must."""
        run = eventually(lambda: self.run(queue_job_id, attempt), within=within)
        assert run is not None
        assert run["outcome"] == outcome, run
        return run

    def wait_until_succeeded(self, queue_job_id: int, *, within: float = 20.0) -> None:
        """The job succeeds, in whichever attempt."""
        query = "SELECT 1 FROM queue_worker.run WHERE queue_job_id = %s AND outcome = 'succeeded'"
        eventually(lambda: self.rows(query, queue_job_id), within=within)

    def wait_until_settled(self) -> None:
        """The server runs for long enough to be evidence against somebody."""
        query = "SELECT 1 WHERE pg_postmaster_start_time() < now() - make_interval(secs => %s)"
        eventually(lambda: self.rows(query, timing.SETTLE))

    def check_nothing_lost(self, *queue_job_ids: int, within: float = 30.0) -> None:
        """Every job that was accepted is in a final state, and each has at least one run."""
        open_jobs = """
            SELECT p.id, p.task_name, p.status FROM procrastinate_jobs AS p
             WHERE p.id = ANY (%s) AND (p.status IN ('todo', 'doing') OR NOT EXISTS (
                       SELECT FROM queue_worker.run AS r WHERE r.queue_job_id = p.id))
        """
        eventually(lambda: not self.rows(open_jobs, list(queue_job_ids)), within=within)

    def check_no_overlap(self, deaths: Mapping[int, float] | None = None) -> None:
        """At no time did two runs hold one lock key, by the account of the jobs."""
        assert overlaps(self.notes.spans(deaths)) == []

    def check_goes_on(self, *, within: float = 10.0) -> None:
        """Afterwards a job that does nothing completes."""
        self.wait_for_run(self.enqueue("noop"), "succeeded", within=within)

    def check_stops(self, *workers: WorkerProcess) -> None:
        """They live, and end with 0 because they were asked to."""
        for worker in workers:
            assert worker.process.poll() is None, worker.lines[-5:]
        assert [worker.stop() for worker in workers] == [0] * len(workers)


def kill(worker: WorkerProcess) -> float:
    """SIGKILL; returns when."""
    at = now()
    worker.stop(signal.SIGKILL)
    return at


def freeze(worker: WorkerProcess) -> None:
    """SIGSTOP; returns when the process has stopped."""
    worker.process.send_signal(signal.SIGSTOP)
    eventually(lambda: Path(f"/proc/{worker.process.pid}/stat").read_text().split()[2] == "T")


def thaw(worker: WorkerProcess) -> float:
    """SIGCONT; returns when."""
    at = now()
    worker.process.send_signal(signal.SIGCONT)
    return at


def is_alive(pid: int) -> bool:
    """Whether this process exists and is not a zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def now() -> float:
    """The clock that the jobs' notes and the server on this machine go by."""
    return time.time()


@contextmanager
def scene(dsn: str, folder: Path, jobs: str = "registry") -> Iterator[Scene]:
    """A scene whose workers are gone at its end."""
    with ExitStack() as stack:
        yield Scene(dsn, folder, stack, jobs)
