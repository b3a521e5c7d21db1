"""procrastinate's own worker as a process: `python -m tests.benchmarks.systems.plain_worker`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from tests.benchmarks.systems.plain_jobs import build_app


async def work(dsn: str, concurrency: int) -> None:
    """Serve all queues until SIGTERM."""
    app = build_app(dsn)
    async with app.open_async():
        await app.run_worker_async(concurrency=concurrency)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(work(os.environ["DATABASE_URL"], int(sys.argv[1])))
