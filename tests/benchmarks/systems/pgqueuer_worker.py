"""pgqueuer's worker as a process: `python -m tests.benchmarks.systems.pgqueuer_worker`.

Several consumers in one process, each with a connection of its own, as its own benchmark has them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import uvloop
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from tests.benchmarks.board import board_of_this_process
from tests.benchmarks.systems.base import NOOP, STAMP
from tests.benchmarks.systems.pgqueuer_driver import open_driver


async def work(kind: str, dsn: str, consumers: int, batch: int) -> None:
    """Serve the queue until SIGTERM."""
    queues = [PgQueuer(await open_driver(kind, dsn)) for _ in range(consumers)]
    for queue in queues:
        _register(queue)

    def stop() -> None:
        for queue in queues:
            queue.shutdown.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    await asyncio.gather(*(queue.run(batch_size=batch) for queue in queues))


def _register(queue: PgQueuer) -> None:
    board = board_of_this_process()

    @queue.entrypoint(NOOP)
    async def noop(_: Job) -> None:
        board.count()

    @queue.entrypoint(STAMP)
    async def stamp(job: Job) -> None:
        board.stamp(int(job.payload or b"0"))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    uvloop.run(work(sys.argv[1], os.environ["DATABASE_URL"], int(sys.argv[2]), int(sys.argv[3])))
