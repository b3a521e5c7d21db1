"""Hosts whose clocks are wrong: the database's clock decides, so nothing is fired twice."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.processes import environment, worker_process

LIBRARIES = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


def with_clock(env: dict[str, str], offset: str) -> dict[str, str]:
    """The environment of a process whose wall clock is wrong; its monotonic clock is not."""
    return env | {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


@pytest.mark.parametrize("offsets", [("+0", "-6s", "+14s"), ("-1h", "+2h", "+400d")])
def test_workers_with_wrong_clocks_fire_each_tick_once_and_in_time(
    database: str, connection: Any, tmp_path: Path, offsets: tuple[str, ...]
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    env = environment(
        database, TEST_NOTES=str(notes), QUEUE_WORKER_APP="tests.support.jobs:registry"
    )
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_process(with_clock(env, o))) for o in offsets]
        eventually(lambda: len(notes.read_text().splitlines()) >= 6)
        assert [worker.stop() for worker in workers] == [0] * len(offsets)
    ticks = connection.execute(
        "SELECT due_at, decided_at - due_at, state FROM queue_worker.tick ORDER BY due_at"
    ).fetchall()
    assert {state for _, _, state in ticks} == {"enqueued"}
    assert all(b - a == timedelta(seconds=1) for (a, *_), (b, *_) in pairwise(ticks))
    assert all(timedelta(0) <= late < timedelta(seconds=2) for _, late, _ in ticks)
    started = connection.execute(
        "SELECT started_at - due_at, finished_at - started_at FROM queue_worker.run"
    ).fetchall()
    for waited, ran in started:
        assert timedelta(0) <= waited < timedelta(seconds=3)
        assert timedelta(0) <= ran < timedelta(seconds=3)
