"""A worker that is killed loses its runs, never its jobs; its siblings know at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from queue_worker.database import connect
from tests.support.eventually import eventually
from tests.support.faults import Scene, is_alive, kill


@pytest.mark.fault("F1", "P8")
def test_killed_holding_a_lock_its_run_is_lost_and_its_lock_free_within_3_seconds(
    stage: Scene,
) -> None:
    """SIGKILL holding a lock, with a living sibling."""
    victim = stage.start_worker("--concurrency", "1")
    first = stage.begin("locked", seconds=50)
    sibling = stage.start_worker()
    second = stage.enqueue("locked")
    stage.wait_until_settled()

    death = kill(victim)

    lost = stage.wait_for_run(first, "lost", within=10)
    assert lost["error_class"] == "WorkerLost"
    assert lost["finished"] - death <= 3
    stage.wait_for_run(second, "succeeded")
    assert stage.notes.time_of_start(f"{second}.1") - death <= 3
    sibling.wait_for("worker.lost", runs=1)
    sibling.wait_for("job.lost", run_id=f"{first}.1", then="failed")
    stage.check_nothing_lost(first, second)
    stage.check_no_overlap({victim.process.pid: death})
    stage.check_stops(sibling)


def test_what_a_plain_job_has_started_dies_with_its_worker(stage: Scene) -> None:
    """SIGKILL: the kernel ends the child, its keeper the rest of the child's process group."""
    victim = stage.start_worker()
    stage.begin("plain_starts_another")
    ((other, _),) = stage.notes.lines("other")
    child = stage.notes.spans()[0].pid
    assert is_alive(child)
    assert is_alive(int(other))
    kill(victim)
    eventually(lambda: not is_alive(child) and not is_alive(int(other)), within=1.5)


@pytest.mark.fault("P8")
def test_only_a_restartable_job_is_run_again(stage: Scene) -> None:
    """SIGKILL: what happens to the runs is what their jobs declare."""
    victim = stage.start_worker()
    again = stage.begin("work_again", seconds=3)
    never = stage.begin("work", seconds=3)
    kill(victim)
    sibling = stage.start_worker()
    stage.wait_for_run(again, "lost")
    stage.wait_for_run(never, "lost")
    stage.wait_for_run(again, "succeeded", attempt=2)
    assert stage.rows("SELECT status, attempts FROM procrastinate_jobs ORDER BY id") == [
        ("succeeded", 2),
        ("failed", 1),
    ]
    stage.check_stops(sibling)


@pytest.mark.fault("F16", "P13")
def test_a_run_that_kills_its_worker_is_quarantined_after_three(stage: Scene) -> None:
    """A poison pill: each attempt takes a worker with it, but not the fleet."""
    workers = [stage.start_worker() for _ in range(4)]
    poison = stage.enqueue("poison")
    last = stage.wait_for_run(poison, "lost", attempt=3, within=30)
    assert last["error_class"] == "Quarantined"
    assert len(stage.notes.lines("start")) == 3
    survivors = [worker for worker in workers if worker.process.poll() is None]
    assert len(survivors) == 1
    stage.check_nothing_lost(poison)
    stage.check_goes_on()
    stage.check_stops(*survivors)


@pytest.mark.fault("F16")
def test_a_run_that_exits_its_worker_is_rescued_as_one_that_is_killed(stage: Scene) -> None:
    """os._exit in a job."""
    first, second = stage.start_worker(), stage.start_worker()
    pill = stage.enqueue("exits_hard")
    lost = stage.wait_for_run(pill, "lost")
    assert lost["error_class"] == "WorkerLost"
    eventually(lambda: first.process.poll() is not None or second.process.poll() is not None)
    assert 3 in {first.process.poll(), second.process.poll()}


@pytest.mark.fault("F46", "P8")
def test_a_waiting_twin_does_not_stop_the_rescue_of_the_others(stage: Scene) -> None:
    """A dead run whose queueing lock another job waits under, beside one that can restart."""
    victim = stage.start_worker()
    answer = stage.client.enqueue("locked_again", {"seconds": 40}, queueing_lock="one")
    dead = answer.queue_job_id
    assert dead is not None
    eventually(lambda: stage.notes.started(f"{dead}.1"))
    beside = stage.begin("work_again", seconds=2)
    twin = stage.client.enqueue("locked_again", {"seconds": 0}, queueing_lock="one")
    assert twin.enqueued
    assert twin.queue_job_id is not None
    death = kill(victim)
    sibling = stage.start_worker()
    stage.wait_for_run(dead, "lost")
    stage.wait_for_run(twin.queue_job_id, "succeeded")
    stage.wait_for_run(beside, "succeeded", attempt=2)
    sibling.wait_for("job.lost", run_id=f"{dead}.1", then="failed")
    stage.check_nothing_lost(dead, beside, twin.queue_job_id)
    stage.check_no_overlap({victim.process.pid: death})
    stage.check_stops(sibling)


def test_three_siblings_rescue_a_dead_worker_once(stage: Scene) -> None:
    """Many reapers see the same dead worker at the same time."""
    victim = stage.start_worker()
    lost = [stage.begin("work_again", seconds=15) for _ in range(3)]
    siblings = [stage.start_worker() for _ in range(3)]
    kill(victim)
    for queue_job_id in lost:
        stage.wait_for_run(queue_job_id, "succeeded", attempt=2, within=40)
    stage.check_stops(*siblings)
    events = [line["event"] for sibling in siblings for line in sibling.lines]
    assert events.count("worker.lost") == 1
    assert events.count("job.lost") == 3
    assert len(stage.rows("SELECT 1 FROM queue_worker.run")) == 6


def test_two_rescues_of_one_worker_at_the_same_moment_are_one(stage: Scene) -> None:
    """The same race, forced: one waits for the other inside the database."""
    dead = _dead_worker_with_runs(stage, 5)
    found: list[Any] = []

    def rescue() -> None:
        found.append(stage.rows("SELECT * FROM queue_worker.rescue_worker(%s, 0)", dead))

    with connect(stage.dsn, name="gate") as gate, gate.transaction():
        gate.execute("SELECT 1 FROM queue_worker.worker WHERE worker_id = %s FOR UPDATE", [dead])
        threads = [threading.Thread(target=rescue) for _ in range(2)]
        for thread in threads:
            thread.start()
        eventually(
            lambda: stage.rows(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
    for thread in threads:
        thread.join()
    assert sorted(len(rows) for rows in found) == [0, 1 + 5]
    assert len(stage.rows("SELECT 1 FROM queue_worker.run WHERE outcome = 'lost'")) == 5


def test_a_rescue_is_told_to_those_who_serve_one_queue_only(stage: Scene) -> None:
    dead = _dead_worker_with_runs(stage, 1)
    stage.rows(
        "INSERT INTO queue_worker.worker (worker_id, kind, host, pid, version, registry_digest,"
        " queues, concurrency, started_at, last_heartbeat_at)"
        " SELECT worker_id, 'worker', 'here', 1, '0', '', '{mail}', 1, now(), now()"
        " FROM procrastinate_register_worker_v1()"
    )
    with connect(stage.dsn, name="listener") as listening:
        listening.execute('LISTEN "procrastinate_queue_v1#mail"')
        stage.rows("SELECT * FROM queue_worker.rescue_worker(%s, 0)", dead)
        assert [told.channel for told in listening.notifies(timeout=10, stop_after=1)] == [
            "procrastinate_queue_v1#mail"
        ]


def test_a_worker_that_has_just_renewed_its_heartbeat_is_not_rescued(stage: Scene) -> None:
    """The reaper looked, then waited; in between the worker said that it is alive."""
    dead = _dead_worker_with_runs(stage, 1)
    stage.rows(
        "UPDATE queue_worker.worker SET last_heartbeat_at = clock_timestamp() WHERE worker_id = %s",
        dead,
    )
    assert stage.rows("SELECT * FROM queue_worker.rescue_worker(%s, 0)", dead) == []
    assert stage.rows("SELECT ended_at FROM queue_worker.worker") == [(None,)]


def test_a_claim_that_commits_during_the_rescue_is_rescued_too(stage: Scene) -> None:
    """The dead worker's last statement still runs in the server when its rescue begins."""
    dead = _dead_worker_with_runs(stage, 1)
    stage.enqueue("work")
    rescued: list[Any] = []
    rescue = threading.Thread(
        target=lambda: rescued.extend(
            stage.rows("SELECT * FROM queue_worker.rescue_worker(%s, 0)", dead)
        )
    )
    with connect(stage.dsn, name="late claim") as late, late.transaction():
        late.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE status = 'todo'",
            [dead],
        )
        rescue.start()
        eventually(
            lambda: stage.rows(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
    rescue.join()
    assert len(rescued) == 1 + 2
    assert stage.rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'") == []


def test_a_claim_from_the_future_does_not_stop_the_rescue(stage: Scene) -> None:
    """The server's clock was set back: the ledger refuses a run that ends before it begins."""
    dead = _dead_worker_with_runs(stage, 2)
    stage.rows(
        "UPDATE procrastinate_jobs SET queue_worker_claimed_at = now() + interval '1 hour'"
        " WHERE id = (SELECT min(id) FROM procrastinate_jobs)"
    )
    assert len(stage.rows("SELECT * FROM queue_worker.rescue_worker(%s, 0)", dead)) == 1 + 2


def _dead_worker_with_runs(stage: Scene, count: int) -> int:
    """A worker that fell silent a minute ago, with runs that it had claimed."""
    ((dead,),) = stage.rows("SELECT worker_id FROM procrastinate_register_worker_v1()")
    stage.rows(
        "INSERT INTO queue_worker.worker (worker_id, kind, host, pid, version, registry_digest,"
        " queues, concurrency, started_at, last_heartbeat_at) VALUES (%s, 'worker', 'gone', 1, '0',"
        " '', '{}', 1, now() - interval '2 minutes', now() - interval '1 minute')",
        dead,
    )
    stage.enqueue_many("work", count)
    stage.rows(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s,"
        " queue_worker_claimed_at = now() - interval '90 seconds'",
        dead,
    )
    return int(dead)
