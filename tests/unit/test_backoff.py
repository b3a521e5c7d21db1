"""What waits for the database tries again ever more slowly, and never in step with the others."""

from __future__ import annotations

import asyncio

import pytest

from queue_worker.errors import DatabaseUnreachable
from queue_worker.worker.backoff import FIRST_WAIT, LONGEST_WAIT, persist

TRIES = 12


async def waits_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []

    async def operation() -> str:
        if len(waits) < TRIES:
            raise DatabaseUnreachable("the server", "sorry, too many clients already")
        return "done"

    async def note(seconds: float) -> None:
        waits.append(seconds)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", note)
        assert await persist("testing", operation) == "done"
    return waits


@pytest.mark.fault("F12", "P24")
async def test_waits_grow_up_to_a_bound_and_differ_from_worker_to_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = [await waits_until_it_answers(monkeypatch) for _ in range(2)]
    for waits in (one, other):
        for number, wait in enumerate(waits):
            bound = min(FIRST_WAIT * 2**number, LONGEST_WAIT)
            assert bound / 2 <= wait <= bound
    assert not set(one) & set(other)
