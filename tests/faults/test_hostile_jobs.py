"""Whatever a job does, it harms no other and ends in one outcome."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from queue_worker import EnqueueRequest
from tests.support.eventually import eventually
from tests.support.fault_jobs import RAISED
from tests.support.faults import Scene


@pytest.mark.fault("F17", "F18", "F19", "F20")
def test_what_a_job_raises_or_returns_is_only_its_outcome(stage: Scene) -> None:
    """Interpreter exits, unprintable errors, 20 MB messages, endless recursion, odd results."""
    worker = stage.start_worker()
    requests: list[EnqueueRequest[Any]] = [
        EnqueueRequest(job=job, args={"what": what})
        for job in ("raises", "plain_raises")
        for what in RAISED
    ]
    requests += [EnqueueRequest(job=job) for job in ("returns_array", "plain_returns_array")]
    requests += [EnqueueRequest(job="plain_crash")]
    answers = stage.client.enqueue_many(requests)
    jobs = [answer.queue_job_id for answer in answers if answer.queue_job_id is not None]
    stage.check_nothing_lost(*jobs)
    runs = stage.rows(
        "SELECT job, outcome, error_class, error_message,"
        " octet_length(coalesce(error_message, '') || coalesce(traceback, ''))"
        " FROM queue_worker.run ORDER BY queue_job_id"
    )
    assert len(runs) == len(jobs)
    for request, (job, outcome, error_class, message, size) in zip(requests, runs, strict=True):
        assert size <= 8_192, (job, size)
        if job.endswith("array"):
            assert outcome == "succeeded"
        else:
            assert outcome == "failed", (request, error_class)
            assert message is not None
    for name in ("raises", "plain_raises"):
        raised = {row[2] for row in runs if row[0] == name}
        assert {"SystemExit", "KeyboardInterrupt", "GeneratorExit", "MemoryError"} <= raised
        assert {"UnspeakableError", "RecursionError"} <= raised
    assert ("plain_crash", "failed", "ChildDied") in {row[:3] for row in runs}
    assert max(len(json.dumps(line)) for line in worker.lines) < 20_000
    stage.check_goes_on(within=2)
    stage.check_stops(worker)


@pytest.mark.fault("F21", "P18")
def test_a_job_that_swallows_its_cancellation_keeps_its_lock_until_its_process_ends(
    stage: Scene,
) -> None:
    """It is timed out all the same, and its worker recycles itself, loudly."""
    worker = stage.start_worker(QUEUE_WORKER_CANCEL_GRACE="1", QUEUE_WORKER_DRAIN_TIMEOUT="4")
    stubborn = stage.begin("stubborn")
    beside = stage.begin("work", seconds=30)  # keeps the worker draining for a while
    sibling = stage.start_worker()
    after = stage.enqueue("locked")

    given_up = stage.wait_for_run(stubborn, "timed_out")
    began = stage.notes.time_of_start(f"{stubborn}.1")
    assert given_up["finished"] - began <= 0.5 + 1 + 2 + 1  # timeout, grace, last patience, noise
    assert worker.process.wait(20) == 70
    worker.wait_for("job.given_up", job="stubborn")
    worker.wait_for("worker.failed")
    stage.wait_for_run(beside, "cancelled")

    stage.wait_for_run(after, "succeeded")
    last_sign = max(float(at) for *_, at in stage.notes.lines("alive"))
    assert stage.notes.time_of_start(f"{after}.1") > last_sign - 0.2
    stage.check_stops(sibling)


@pytest.mark.fault("F23", "P4")
@pytest.mark.slow
def test_a_job_that_blocks_the_loop_is_not_taken_for_a_dead_worker(stage: Scene) -> None:
    """time.sleep(15) in an async job: the heartbeat goes on, and the other runs are only late."""
    worker = stage.start_worker()
    beside = stage.begin("work_again", seconds=1)
    locked = stage.begin("locked_again", seconds=1)
    blocking = stage.begin("blocks_loop", seconds=15)
    sibling = stage.start_worker()
    for job in (blocking, beside, locked):
        stage.wait_for_run(job, "succeeded", within=30)
    worker.wait_for("loop.blocked")
    assert {line["event"] for line in sibling.lines} & {"worker.lost", "worker.frozen"} == set()
    stage.check_goes_on()
    stage.check_stops(worker, sibling)


@pytest.mark.fault("F24")
def test_c_code_that_holds_the_interpreter_is_not_taken_for_a_dead_worker(stage: Scene) -> None:
    """A catastrophic regular expression stops even the heartbeat's thread for some seconds."""
    worker, sibling = stage.start_worker(), stage.start_worker()
    job = stage.enqueue("holds_gil")
    stage.wait_for_run(job, "succeeded", within=30)
    (held,) = stage.notes.spans()
    assert held.end - held.start > 1
    assert stage.rows("SELECT count(*) FROM queue_worker.worker WHERE ended_at IS NOT NULL") == [
        (0,)
    ]
    stage.check_goes_on()
    stage.check_stops(worker, sibling)


@pytest.mark.fault("F25", "P17")
def test_more_plain_runs_than_pythons_executor_has_threads_all_run_at_once(stage: Scene) -> None:
    """What is claimed executes: none waits for a thread while its row says that it runs."""
    many = (os.cpu_count() or 1) + 4 + 2  # two more than the default executor takes
    worker = stage.start_worker("--concurrency", str(many))
    jobs = stage.enqueue_many("plain_until_told", many)
    eventually(lambda: len(stage.notes.lines("start")) == many, within=50)
    assert len({pid for *_, pid, _ in stage.notes.lines("start")}) == many
    assert stage.rows("SELECT status, count(*) FROM procrastinate_jobs GROUP BY status") == [
        ("doing", many)
    ]
    with stage.notes.path.open("a") as notes:
        notes.write("go on\n")
    stage.check_nothing_lost(*jobs)
    stage.check_stops(worker)


@pytest.mark.fault("F31")
@pytest.mark.parametrize(
    "channel", ["procrastinate_any_queue_v1", "procrastinate_queue_v1#default"]
)
def test_a_forged_notification_does_nothing(stage: Scene, channel: str) -> None:
    """Any role may send one: nonsense is no error, and an abort that nobody asked for no abort."""
    workers = [stage.start_worker(), stage.start_worker("--queues", "default")]
    job = stage.begin("work", seconds=2)
    for payload in (
        "",
        "nonsense {",
        "[]",
        "null",
        '{"type": 7}',
        '{"type": "job_inserted", "job_id": "x"}',
        '{"type": "abort_job_requested", "job_id": 99999999}',
        json.dumps({"type": "abort_job_requested", "job_id": job}),
        "x" * 7000,
    ):
        stage.rows("SELECT pg_notify(%s, %s)", channel, payload)
    stage.wait_for_run(job, "succeeded")
    stage.check_goes_on()
    stage.check_stops(*workers)


@pytest.mark.fault("F31")
@pytest.mark.parametrize(
    "told", ['"first_id": 1, "first_due": -1e300', '"first_id": 1, "first_due": NaN', '"first_id": -1e300']
)  # fmt: skip
def test_a_forged_notification_of_what_cannot_be_does_nothing(stage: Scene, told: str) -> None:
    """Where the claims of the worker begin above the ground."""
    worker = stage.start_worker(QUEUE_WORKER_POLL_INTERVAL="600")
    for _ in range(3):
        stage.check_nothing_lost(*stage.enqueue_many("work", 150))
    stage.rows(
        "SELECT pg_notify('procrastinate_any_queue_v1', %s)", f'{{"job_id": 1, "count": 1, {told}}}'
    )
    stage.check_goes_on()
    stage.check_stops(worker)


@pytest.mark.fault("F27")
@pytest.mark.parametrize("raw", ["[]", "null", '"text"', "7", "true"])
def test_arguments_that_are_no_object_fail_the_run(stage: Scene, raw: str) -> None:
    """A raw INSERT writes what no client would."""
    worker = stage.start_worker()
    ((job,),) = stage.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " VALUES ('default', 'work', %s) RETURNING id",
        raw,
    )
    assert stage.wait_for_run(job, "failed")["error_class"] == "ArgumentsError"
    stage.check_goes_on(within=2)
    stage.check_stops(worker)


@pytest.mark.fault("F26", "P11")
def test_two_versions_of_a_registry_serve_one_queue(stage: Scene) -> None:
    """A rolling deploy: a job that only the new version knows waits for it."""
    old = stage.start_worker()
    jobs = [
        stage.rows(
            "INSERT INTO procrastinate_jobs (queue_name, task_name)"
            " VALUES ('default', 'brand_new') RETURNING id"
        )[0][0]
        for _ in range(20)
    ]
    stage.check_goes_on()
    assert stage.rows(
        "SELECT DISTINCT status FROM procrastinate_jobs WHERE id = ANY (%s)", jobs
    ) == [("todo",)]
    new = stage.start_worker(jobs="next_version")
    shared = stage.enqueue_many("work", 20)
    stage.check_nothing_lost(*jobs, *shared)
    assert stage.rows("SELECT DISTINCT outcome FROM queue_worker.run") == [("succeeded",)]
    stage.check_stops(old, new)
    ((fresh,),) = stage.rows(
        "SELECT count(DISTINCT worker_id) FROM queue_worker.run WHERE job = 'brand_new'"
    )
    assert fresh == 1
