"""What the reaper does to a sibling rests on what it has seen itself, look after look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import psycopg
import pytest

from queue_worker.errors import DatabaseUnreachable
from queue_worker.observability.metrics import JobMetrics
from queue_worker.observability.observer import RunObserver
from queue_worker.observability.worker_metrics import WorkerMetrics
from queue_worker.session import Rows, Session
from queue_worker.worker import timing
from queue_worker.worker.reaper import Reaper

GONE = (7, None, 60.0)  # worker 7 holds no alive lock and was silent for a minute
FROZEN = (8, 4711, 60.0)  # worker 8 still has its session, but does not renew its heartbeat


class Scripted:
    """Answers the reaper's looks one after the other, the last one for ever."""

    def __init__(self, *looks: Sequence[tuple[Any, ...]] | Exception) -> None:
        self.looks = list(looks)
        self.done: list[tuple[str, int]] = []
        self.refuses: int | None = None

    async def fetch(self, name: str, parameters: Mapping[str, Any]) -> Rows:
        if name == "find_silent_workers":
            answer = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            if isinstance(answer, Exception):
                raise answer
            return list(answer)
        target = parameters.get("dead_id", parameters.get("pid"))
        self.done.append((name, int(str(target))))
        if target == self.refuses:
            raise psycopg.errors.CheckViolation("this one cannot be rescued")
        return [(None, None, None, "found dead")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SELF_FENCE", 0.1)
    monkeypatch.setattr(timing, "SETTLE", 0.5)


def reaper(session: Scripted) -> Reaper:
    metrics = JobMetrics()
    observer = RunObserver(metrics, WorkerMetrics(metrics.registry))
    return Reaper(cast("Session", session), 1, lambda: None, observer)


async def look(reaper: Reaper, seconds: float) -> None:
    """Have it look again and again for so long."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        await reaper.reap()
        await asyncio.sleep(0.02)


async def test_a_dead_worker_is_rescued_once_it_would_have_fenced_itself() -> None:
    session = Scripted([GONE])
    watching = reaper(session)
    await look(watching, 0.05)
    assert session.done == []
    await look(watching, 0.15)
    assert ("rescue_worker", 7) in session.done


async def test_a_frozen_workers_session_is_ended_before_anything_is_taken_from_it() -> None:
    session = Scripted([FROZEN])
    await look(reaper(session), 0.2)
    assert {name for name, _ in session.done} == {"end_session"}


async def test_one_that_comes_back_between_two_looks_is_suspected_anew() -> None:
    session = Scripted(*([[GONE]] * 3), [], *([[GONE]] * 3), [], [])
    await look(reaper(session), 0.25)
    assert session.done == []


async def test_after_an_outage_everybody_gets_time_to_come_back() -> None:
    """All were cut off; who is seen again last is not dead."""
    session = Scripted([GONE], DatabaseUnreachable("the server", "it restarts"), [GONE, FROZEN])
    watching = reaper(session)
    await watching.reap()
    with pytest.raises(DatabaseUnreachable):
        await watching.reap()
    await look(watching, 0.4)
    assert session.done == []
    await look(watching, 0.2)
    assert {("rescue_worker", 7), ("end_session", 4711)} <= set(session.done)


async def test_one_worker_that_cannot_be_rescued_does_not_stop_the_sweep() -> None:
    session = Scripted([GONE, (9, None, 60.0)])
    session.refuses = 7
    await look(reaper(session), 0.2)
    assert ("rescue_worker", 9) in session.done
