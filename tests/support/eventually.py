"""Wait for the thing itself: look again and again, quickly at first, until it is so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, within: float = 20.0) -> T:
    """The first true thing that `look` returns; fails after `within` seconds."""
    end, pause = time.monotonic() + within, 0.005
    while not (found := look()):
        assert time.monotonic() < end, f"not so within {within} s: {look}"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return found


async def eventually_async(look: Callable[[], T], *, within: float = 20.0) -> T:
    """The same on the event loop."""
    end, pause = time.monotonic() + within, 0.005
    while not (found := look()):
        assert time.monotonic() < end, f"not so within {within} s: {look}"
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return found
