"""Hosts whose clocks are wrong: the database's clock decides, so nothing is fired twice."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import needs_faketime, with_clock
from tests.support.eventually import eventually
from tests.support.processes import environment, worker_process

pytestmark = needs_faketime


@pytest.mark.fault("F34")
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
    check_ticks(connection)


@pytest.mark.fault("F35")
def test_a_clock_that_jumps_back_and_forth_fires_no_tick_twice_and_leaves_none_out(
    database: str, connection: Any, tmp_path: Path
) -> None:
    """Two workers whose host's clock is set back an hour, and then two hours forward."""
    notes, clock = tmp_path / "notes", tmp_path / "clock"
    notes.touch()
    clock.write_text("+0\n")
    env = environment(
        database, TEST_NOTES=str(notes), QUEUE_WORKER_APP="tests.support.jobs:registry"
    )
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_process(with_clock(env, clock))) for _ in range(2)]
        for offset in ("-1h\n", "+1h\n", "+1h\n"):
            seen = len(notes.read_text().splitlines())
            eventually(lambda seen=seen: len(notes.read_text().splitlines()) >= seen + 2)
            clock.write_text(offset)
        assert [worker.stop() for worker in workers] == [0, 0]
    told = [float(line.split()[-1]) for line in notes.read_text().splitlines()]
    assert max(b - a for a, b in pairwise(told)) > 3000  # it did jump
    check_ticks(connection)


def check_ticks(connection: Any) -> None:
    """Every tick was fired, once, and in time; every run is as long as it was."""
    ticks = connection.execute(
        "SELECT due_at, decided_at - due_at, state FROM queue_worker.tick ORDER BY due_at"
    ).fetchall()
    # Between its publishing and the first look a slow start may miss the very first ones.
    ticks = list(dropwhile(lambda tick: tick[2] == "missed", ticks))
    assert {state for _, _, state in ticks} == {"enqueued"}
    assert all(b - a == timedelta(seconds=1) for (a, *_), (b, *_) in pairwise(ticks))
    assert all(timedelta(0) <= late < timedelta(seconds=2) for _, late, _ in ticks)
    started = connection.execute(
        "SELECT started_at - due_at, finished_at - started_at FROM queue_worker.run"
    ).fetchall()
    for waited, ran in started:
        assert timedelta(0) <= waited < timedelta(seconds=3)
        assert timedelta(0) <= ran < timedelta(seconds=3)
