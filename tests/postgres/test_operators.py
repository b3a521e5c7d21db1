"""What an operator may do from psql: each lever, what it refuses, and its one row of the audit log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from queue_worker import JobContext, JobRegistry
from queue_worker.database import connect
from queue_worker.queue.fleet import publication
from queue_worker.schemas import renamed, run_prefix, schema_names
from queue_worker.statements import statement
from tests.support.alerts import record, tend
from tests.support.sessions import ended_session

Connection = psycopg.Connection[Any]
Put = Callable[..., int]

JOB = """
    INSERT INTO queue_worker.job (name, description, schedule, queue, priority, lock_key, timeout,
        max_attempts, restartable, owner, runbook, registry_digest)
    VALUES (%s, '', 'manual', %s, 0, NULL, '1 minute', 1, %s, '', '', 'd')
"""
WORKER = """
    INSERT INTO queue_worker.worker (worker_id, kind, host, pid, version, registry_digest, queues,
        concurrency, last_heartbeat_at)
    SELECT worker_id, 'worker', 'a-host', 4711, '0', 'd', '{}', 1, now() - interval '1 minute'
      FROM procrastinate_register_worker_v1()
    RETURNING worker_id
"""
LOST = """
    INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at, enqueued_by,
        started_at, finished_at, error_class)
    SELECT id, attempts, task_name, 'lost', queue_name, now(), 'x', now() - interval '2 hours',
           now() - interval '1 hour', 'WorkerLost'
      FROM procrastinate_jobs WHERE id = %s
"""


async def report(ctx: JobContext) -> None: ...


@pytest.fixture(autouse=True)
def jobs(connection: Connection) -> None:
    for name, queue, restartable in (("report", "default", False), ("mail", "slow", True)):
        connection.execute(JOB, [name, queue, restartable])


@pytest.fixture
def put(connection: Connection) -> Put:
    def put(**columns: Any) -> int:
        row = {"task_name": "report", "queue_name": "default", **columns}
        marks = ", ".join(f"%({name})s" for name in row)
        found = connection.execute(
            f"INSERT INTO procrastinate_jobs ({', '.join(row)}) VALUES ({marks}) RETURNING id", row
        ).fetchone()
        assert found is not None
        return int(found[0])

    return put


@pytest.fixture
def worker(connection: Connection) -> int:
    """A worker that is gone: no session of its own, and no heartbeat for a minute."""
    found = connection.execute(WORKER).fetchone()
    assert found is not None
    return int(found[0])


def ask(connection: Connection, function: str, *arguments: Any, by: str = "ada") -> Any:
    marks = ", ".join(["%s"] * (len(arguments) + 2))
    found = connection.execute(
        f"SELECT queue_worker.{function}({marks})", [*arguments, by, "because"]
    ).fetchone()
    assert found is not None
    return found[0]


def audited(connection: Connection) -> list[tuple[Any, ...]]:
    rows = connection.execute(
        "SELECT action, subject FROM queue_worker.audit_log ORDER BY audit_id"
    )
    return rows.fetchall()


def row(connection: Connection, queue_job_id: int, columns: str = "status") -> tuple[Any, ...]:
    found = connection.execute(
        f"SELECT {columns} FROM procrastinate_jobs WHERE id = %s", [queue_job_id]
    ).fetchone()
    assert found is not None
    return tuple(found)


def refused(connection: Connection, message: str, hint: str, function: str, *args: Any) -> None:
    before = audited(connection)
    with pytest.raises(psycopg.Error, match=message) as error:
        ask(connection, function, *args)
    assert renamed(hint) in (error.value.diag.message_hint or "")
    assert audited(connection) == before


CALLS = [
    ("pause_job", "report"), ("pause_queue", "default"), ("resume_job", "report"),
    ("resume_queue", "default"), ("cancel_job", 1), ("retry_job", 1), ("release_lock", "key"),
    ("retire_job", "report"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "subject"), CALLS)
@pytest.mark.parametrize(("actor", "reason"), [("", "r"), (None, "r"), ("a", " "), ("a", None)])
def test_everything_asks_who_and_why(
    connection: Connection, function: str, subject: Any, actor: str | None, reason: str | None
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="a person and a reason"):
        connection.execute(f"SELECT queue_worker.{function}(%s, %s, %s)", [subject, actor, reason])


def test_an_audit_row_tells_role_application_actor_and_reason(connection: Connection) -> None:
    connection.execute("SET application_name = 'psql of ada'")
    ask(connection, "pause_job", "report")
    assert connection.execute(
        "SELECT role = session_user, application, actor, reason FROM queue_worker.audit_log"
    ).fetchall() == [(True, "psql of ada", "ada", "because")]


def test_what_is_rolled_back_is_not_audited_either(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        ask(connection, "pause_job", "report")
    assert audited(connection) == []
    assert connection.execute("SELECT * FROM queue_worker.pause").fetchall() == []


@pytest.mark.parametrize(("kind", "name"), [("job", "report"), ("queue", "default")])
def test_a_pause_is_said_and_audited_once(connection: Connection, kind: str, name: str) -> None:
    assert ask(connection, f"resume_{kind}", name) == "not paused"
    assert ask(connection, f"pause_{kind}", name) == "paused"
    assert ask(connection, f"pause_{kind}", name, by="bob") == "already paused"
    assert connection.execute("SELECT kind, name, actor FROM queue_worker.pause").fetchall() == [
        (kind, name, "ada")
    ]
    assert ask(connection, f"resume_{kind}", name) == "resumed"
    assert ask(connection, f"resume_{kind}", name) == "not paused"
    subject = f"{kind}:{name}"
    assert audited(connection) == [(f"{kind}.paused", subject), (f"{kind}.resumed", subject)]


def test_a_name_that_nobody_knows_is_not_paused(connection: Connection, put: Put) -> None:
    refused(connection, "no job 'reprot'", "FROM queue_worker.job", "pause_job", "reprot")
    refused(connection, "no job 'slow'", "FROM queue_worker.job", "pause_job", "slow")
    refused(connection, "no queue 'report'", "DISTINCT queue", "pause_queue", "report")
    put(task_name="unheard of", queue_name="of its own")
    assert ask(connection, "pause_job", "unheard of") == "paused"
    assert ask(connection, "pause_queue", "of its own") == "paused"


def test_a_pause_shows_in_the_views(connection: Connection, put: Put) -> None:
    put()
    ask(connection, "pause_job", "report")
    ask(connection, "pause_queue", "slow")
    put(task_name="mail", queue_name="slow")
    health = "SELECT job, paused FROM queue_worker.job_health ORDER BY job"
    assert connection.execute(health).fetchall() == [
        ("mail", "its queue was paused by ada: because"), ("report", "paused by ada: because"),
    ]  # fmt: skip
    depth = "SELECT queue, due, paused FROM queue_worker.queue_depth ORDER BY queue"
    assert connection.execute(depth).fetchall() == [
        ("default", 1, None), ("slow", 1, "its queue was paused by ada: because"),
    ]  # fmt: skip


def test_what_is_paused_blocks_no_other_of_its_lock(connection: Connection, put: Put) -> None:
    put(lock="shared")
    put(lock="shared", task_name="mail")
    blocked = "SELECT job, blocked_by_job FROM queue_worker.blocked"
    assert connection.execute(blocked).fetchall() == [("mail", "report")]
    ask(connection, "pause_job", "report")
    assert ("mail", "report") not in connection.execute(blocked).fetchall()


TICKS = """
    SELECT state FROM queue_worker.decide_ticks(
        '{"job": "report", "queue": "default", "priority": 0}', %s, '{}', NULL)
"""


@pytest.mark.parametrize(("kind", "name"), [("job", "report"), ("queue", "default")])
def test_ticks_of_what_is_paused_are_skipped_and_say_why(
    connection: Connection, kind: str, name: str
) -> None:
    ask(connection, f"pause_{kind}", name)
    for minute in (1, 2):
        due = connection.execute("SELECT array[now() - %s * interval '1 s']", [60 - minute])
        assert connection.execute(TICKS, due.fetchone()).fetchall() == [("skipped",)]
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)
    reasons = connection.execute("SELECT DISTINCT reason FROM queue_worker.tick").fetchall()
    assert len(reasons) == 1
    assert "paused by ada: because" in reasons[0][0]
    ask(connection, f"resume_{kind}", name)
    due = connection.execute("SELECT array[now()]").fetchone()
    assert connection.execute(TICKS, due).fetchall() == [("enqueued",)]


def test_a_waiting_job_is_cancelled_and_has_its_outcome(connection: Connection, put: Put) -> None:
    job = put()
    assert ask(connection, "cancel_job", job) == "cancelled"
    assert row(connection, job) == ("cancelled",)
    assert connection.execute("SELECT run_id, outcome FROM queue_worker.run").fetchall() == [
        (f"{job}.1", "cancelled")
    ]
    assert audited(connection) == [("job.cancelled", f"queue_job:{job}")]


def test_a_running_job_is_asked_to_end_once(connection: Connection, put: Put, worker: int) -> None:
    job = put(status="doing", worker_id=worker)
    assert ask(connection, "cancel_job", job) == "asked to end"
    assert ask(connection, "cancel_job", job) == "already asked to end"
    assert row(connection, job, "status, abort_requested") == ("doing", True)
    assert len(audited(connection)) == 1


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "aborted"])
def test_what_has_ended_is_not_cancelled(connection: Connection, put: Put, status: str) -> None:
    job = put(status=status)
    refused(connection, f"Job {job} has ended: it is {status}", "waits or runs", "cancel_job", job)


def test_what_is_not_there_is_refused_and_its_ledger_named(
    connection: Connection, put: Put
) -> None:
    job = put(status="failed", attempts=1)
    connection.execute(LOST, [job])
    connection.execute("DELETE FROM procrastinate_jobs")
    for function in ("cancel_job", "retry_job"):
        refused(connection, f"no job {job}", "queue_worker.run", function, job)
        refused(connection, "no job 99", "before the dot", function, 99)


@pytest.mark.parametrize("status", ["failed", "aborted"])
def test_a_retry_is_the_next_attempt_of_the_same_job(
    connection: Connection, put: Put, status: str
) -> None:
    job = put(
        status=status, attempts=2, lock="key", queueing_lock="q", queue_worker_losses=3,
        scheduled_at="2001-01-01", args=psycopg.types.json.Jsonb({"a": 1}),
    )  # fmt: skip
    assert ask(connection, "retry_job", job) == f"{job}.3"
    assert row(
        connection, job, "status, attempts, lock, queueing_lock, args, queue_worker_losses"
    ) == ("todo", 2, "key", "q", {"a": 1}, 0)
    assert audited(connection) == [("job.retried", f"queue_job:{job}")]


def test_a_retry_of_what_was_cancelled_before_it_ran_uses_no_attempt_twice(
    connection: Connection, put: Put
) -> None:
    job = put()
    ask(connection, "cancel_job", job)
    assert ask(connection, "retry_job", job) == f"{job}.2"
    ask(connection, "cancel_job", job)
    assert connection.execute("SELECT run_id FROM queue_worker.run ORDER BY 1").fetchall() == [
        (f"{job}.1",), (f"{job}.2",),
    ]  # fmt: skip


def test_a_retry_refuses_what_waits_runs_or_has_succeeded(
    connection: Connection, put: Put, worker: int
) -> None:
    refused(connection, "still waits", "its lock key", "retry_job", put())
    running = put(status="doing", worker_id=worker)
    refused(connection, f"Job {running} runs", "cancel it first", "retry_job", running)
    done = put(status="succeeded", attempts=1)
    refused(connection, f"Job {done} has succeeded", "although_succeeded", "retry_job", done)
    connection.execute(
        "SELECT queue_worker.retry_job(%s, 'ada', 'again', although_succeeded => true)", [done]
    )
    assert row(connection, done) == ("todo",)


def test_a_retry_refuses_what_a_waiting_twin_does_already(connection: Connection, put: Put) -> None:
    job = put(status="failed", queueing_lock="q")
    twin = put(queueing_lock="q")
    refused(
        connection, f"job {twin} of the same queueing lock waits", "does the work", "retry_job", job
    )
    assert row(connection, job) == ("failed",)


def test_a_retry_wakes_the_workers(connection: Connection, put: Put, database: str) -> None:
    job = put(status="failed")
    with connect(database, name="listening") as listening:
        listening.execute("LISTEN procrastinate_any_queue_v1")
        ask(connection, "retry_job", job)
        assert [n.channel for n in listening.notifies(timeout=5, stop_after=1)] == [
            "procrastinate_any_queue_v1"
        ]


REQUEUE = "SELECT queue_job_id, what FROM queue_worker.requeue_lost('ada', 'because'{})"


def test_lost_runs_are_requeued_in_bounds_and_audited_once(
    connection: Connection, put: Put
) -> None:
    lost = [put(status="failed", attempts=1) for _ in range(3)]
    other = put(task_name="mail", status="failed", attempts=1)
    behind = put(task_name="mail", status="failed", attempts=1, queueing_lock="q")
    for job in (*lost, other, behind):
        connection.execute(LOST, [job])
    twin = put(queueing_lock="q")
    waits = f"job {twin} of the same queueing lock waits already"

    def requeue(options: str = "") -> dict[int, str]:
        return dict(connection.execute(REQUEUE.format(options)).fetchall())

    would, does = "would be returned to the queue", "returned to the queue"
    assert requeue(", dry_run => true") == dict.fromkeys([*lost, other], would) | {behind: waits}
    assert audited(connection) == []
    assert requeue(", since => now()") == {}
    assert requeue(", job => 'report', at_most => 2") == {lost[2]: does, lost[1]: does}
    assert requeue() == {lost[0]: does, other: does, behind: waits}
    assert requeue() == {behind: waits}
    assert audited(connection) == [("jobs.requeued", "job:report"), ("jobs.requeued", "job:*")]
    assert connection.execute(
        "SELECT details -> 'queue_job_ids' FROM queue_worker.audit_log ORDER BY audit_id LIMIT 1"
    ).fetchone() == ([lost[2], lost[1]],)


def test_what_was_run_again_since_is_not_requeued(connection: Connection, put: Put) -> None:
    job = put(status="failed", attempts=1)
    connection.execute(LOST, [job])
    connection.execute("UPDATE procrastinate_jobs SET attempts = 2")
    connection.execute(LOST.replace("'lost'", "'failed'"), [job])
    assert connection.execute(REQUEUE.format("")).fetchall() == []


@pytest.mark.parametrize("options", [", at_most => 0", ", at_most => NULL", ", since => NULL"])
def test_a_requeue_without_bounds_is_refused(connection: Connection, options: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="since when, and at most"):
        connection.execute(REQUEUE.format(options))


ALIVE = "SELECT pg_advisory_lock(hashtextextended('queue_worker.{}.' || %s::text, 0))"


def test_a_lock_of_a_dead_worker_is_released_and_its_run_lost(
    connection: Connection, put: Put, worker: int
) -> None:
    job = put(status="doing", lock="key", worker_id=worker)
    assert ask(connection, "release_lock", "key") == f"{job}.1"
    assert row(connection, job, "status, attempts, worker_id") == ("failed", 1, None)
    assert connection.execute(
        "SELECT run_id, outcome, worker_id, error_class FROM queue_worker.run"
    ).fetchall() == [(f"{job}.1", "lost", worker, "WorkerLost")]
    assert audited(connection) == [("lock.released", "lock_key:key")]


def test_a_lock_of_a_claim_that_belongs_to_nobody_is_released(
    connection: Connection, put: Put
) -> None:
    job = put(status="doing", lock="key", task_name="mail", queue_name="slow")
    assert ask(connection, "release_lock", "key") == f"{job}.1"
    assert row(connection, job, "status, queue_worker_restarts") == ("todo", 1)  # restartable
    assert connection.execute("SELECT retry_at IS NOT NULL FROM queue_worker.run").fetchall() == [
        (True,)
    ]


def test_a_lock_that_nobody_holds_is_refused(connection: Connection, put: Put) -> None:
    put(lock="key")
    refused(
        connection, "Nobody holds lock key 'key'", "queue_worker.running", "release_lock", "key"
    )
    refused(connection, "Nobody holds lock key 'o''clock'", "", "release_lock", "o'clock")


def test_a_lock_whose_worker_is_alive_is_refused_and_the_worker_named(
    connection: Connection, put: Put, worker: int, database: str
) -> None:
    job = put(status="doing", lock="key", worker_id=worker)

    def is_refused(holder: str) -> None:
        refused(
            connection, f"is held by {holder}.*, which is alive", f"cancel job {job}",
            "release_lock", "key",
        )  # fmt: skip

    connection.execute("UPDATE queue_worker.worker SET last_heartbeat_at = clock_timestamp()")
    is_refused(f"worker {worker} .a-host, pid 4711")
    connection.execute("UPDATE queue_worker.worker SET last_heartbeat_at = now() - interval '1 h'")
    with ended_session(database, name="worker") as alive:
        alive.execute(ALIVE.format("alive"), [worker])
        is_refused(f"worker {worker} .a-host, pid 4711")
    with ended_session(database, name="locks") as holding:
        holding.execute(ALIVE.format("lock"), ["key"])
        is_refused(f"the session with pid {holding.info.backend_pid} .locks")
    run = run_prefix(schema_names().ours)
    with ended_session(database, name=f"{run}{job}.1 report") as own:
        own.execute("SELECT 1")
        is_refused(f"the session with pid {own.info.backend_pid} .{run}{job}.1 report")
    connection.execute("DELETE FROM queue_worker.worker")
    connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now()")
    is_refused("a plain procrastinate worker")
    connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 h'")
    assert ask(connection, "release_lock", "key") == f"{job}.1"


def test_a_session_that_holds_a_key_without_a_claim_is_refused(
    connection: Connection, database: str
) -> None:
    with ended_session(database, name="inline") as holding:
        holding.execute(ALIVE.format("lock"), ["key"])
        refused(connection, "is held by the session", "Wait until", "release_lock", "key")


def test_claims_that_belong_to_nobody_are_lost_but_not_those_of_strangers(
    connection: Connection, put: Put, worker: int
) -> None:
    ago = {"status": "doing", "queue_worker_claimed_at": "2001-01-01"}
    failed, restarted = put(**ago), put(task_name="mail", **ago)
    left = [
        put(task_name="unheard of", **ago), put(worker_id=worker, **ago), put(status="doing"),
        put(status="doing", queue_worker_claimed_at="2999-01-01"),
    ]  # fmt: skip
    rescue = "SELECT queue_job_id, what FROM queue_worker.rescue_ownerless(7)"
    assert connection.execute(rescue).fetchall() == [(failed, "failed"), (restarted, "restarted")]
    assert connection.execute(rescue).fetchall() == []
    assert [row(connection, job) for job in left] == [("doing",)] * 4
    assert connection.execute("SELECT DISTINCT outcome FROM queue_worker.run").fetchall() == [
        ("lost",)
    ]


# Retire --------------------------------------------------------------------------------------------


def test_a_job_that_is_retired_is_due_no_more_until_a_worker_declares_it(
    connection: Connection, database: str
) -> None:
    connection.execute("UPDATE queue_worker.job SET next_due_at = now() - interval '1 hour'")
    record(connection, "report")
    tend(connection)
    assert ask(connection, "retire_job", "report") == "retired"
    assert ask(connection, "retire_job", "report", by="bob") == "already retired"
    assert audited(connection) == [("job.retired", "job:report")]
    state = "SELECT job, retired_at IS NOT NULL FROM queue_worker.job_health ORDER BY job"
    assert connection.execute(state).fetchall() == [("mail", False), ("report", True)]
    for view in ("overdue AS v (name)", "incidents AS v (since, kind, name)"):
        assert connection.execute(f"SELECT name FROM queue_worker.{view}").fetchall() == [("mail",)]
    assert connection.execute("SELECT state FROM queue_worker.alert").fetchall() == [("resolved",)]

    declared = JobRegistry()
    declared.job("report", timeout=timedelta(minutes=1))(report)
    connection.execute(statement("publish_jobs"), publication(declared))
    assert connection.execute(state).fetchall() == [("mail", False), ("report", False)]


def test_what_a_living_worker_knows_or_what_waits_is_not_retired(
    connection: Connection, put: Put, worker: int
) -> None:
    refused(connection, "There is no job 'reprot'", "FROM queue_worker.job", "retire_job", "reprot")
    refused(connection, f"Worker {worker} ", "Deploy the version", "retire_job", "report")
    connection.execute("UPDATE queue_worker.worker SET jobs = '{mail}'")
    waiting = put()
    refused(connection, f"Job {waiting} of it waits", "Cancel", "retire_job", "report")
    ask(connection, "cancel_job", waiting)
    refused(connection, f"Worker {worker} ", "pause it", "retire_job", "mail")
    assert ask(connection, "retire_job", "report") == "retired"
