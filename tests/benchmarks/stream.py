"""A steady stream of no-op jobs, from a process of its own.

`python -m tests.benchmarks.stream SYSTEM JOBS_A_SECOND` enqueues into DATABASE_URL until it is ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from tests.benchmarks.loops import run_client
from tests.benchmarks.plan import Plan
from tests.benchmarks.systems.base import System
from tests.benchmarks.systems.found import find_systems

_STEP = 0.02  # seconds between two batches, if they come in time


async def stream(system: System, dsn: str, rate: float) -> None:
    """Enqueue so many jobs a second, evenly, by small batches."""
    async with system.client(dsn) as client:
        began, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * rate) - sent
            if due > 0:
                await client.enqueue_many(due)
                sent += due
            await asyncio.sleep(_STEP)


def main() -> None:
    """Read the arguments and stream."""
    name, rate = sys.argv[1:]
    systems, _ = find_systems(Plan(systems=(name,)))
    run_client(stream(systems[0], os.environ["DATABASE_URL"], float(rate)))


if __name__ == "__main__":
    main()
