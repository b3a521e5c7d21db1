"""Schedules: each tick is decided once, whoever is there to decide it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.processes import environment, worker_process


@pytest.mark.fault("F32")
def test_four_workers_fire_each_tick_once(database: str, connection: Any, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    env = environment(
        database, TEST_NOTES=str(notes), QUEUE_WORKER_APP="tests.support.jobs:registry"
    )
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_process(env)) for _ in range(4)]
        eventually(lambda: len(notes.read_text().splitlines()) >= 5)
        assert [worker.stop() for worker in workers] == [0] * 4
    due = [line.split()[1] for line in notes.read_text().splitlines()]
    assert len(due) == len(set(due))
    ticks = connection.execute(
        "SELECT due_at, state FROM queue_worker.tick ORDER BY due_at"
    ).fetchall()
    assert {state for _, state in ticks} == {"enqueued"}
    moments = [moment for moment, _ in ticks]
    assert all(b - a == timedelta(seconds=1) for a, b in pairwise(moments))
    runs = connection.execute("SELECT due_at, lock_key FROM queue_worker.run").fetchall()
    assert {moment for moment, _ in runs} == {
        moment for moment, _ in ticks if moment.isoformat() in due
    }
    assert {lock_key for _, lock_key in runs} == {"ticker"}
