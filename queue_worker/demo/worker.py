"""A real worker process for the demo, and jobs that are run through it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from queue_worker.errors import QueueWorkerError
from queue_worker.governance.reports import Row, follow_job

_LOOK_INTERVAL = 0.1  # seconds between two looks at a job that is waited for
_STOP_TIME = 30  # seconds that the worker gets to end


@contextmanager
def running_worker(dsn: str, log_file: Path) -> Iterator[Callable[[], None]]:
    """A worker that serves this database for as long as the block lasts, then is asked to stop.

    Yields a function that raises as soon as the worker has died.

    Raises:
        QueueWorkerError: the worker did not end well.
    """
    environment = {
        **os.environ,
        "DATABASE_URL": dsn,
        "QUEUE_WORKER_APP": "queue_worker.jobs:registry",
        "CONTENT_GENERATOR": "queue_worker.demo.template_generator:generate",
        "QUEUE_WORKER_LOG_FORMAT": "json",
    }
    with log_file.open("w") as log:
        process = subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-m", "queue_worker", "worker"], env=environment, stderr=log
        )

    def check_alive() -> None:
        if process.poll() is not None:
            problem = f"The worker ended with exit code {process.returncode}; see {log_file}."
            raise QueueWorkerError(problem)

    try:
        yield check_alive
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIME)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode:
        problem = f"The worker stopped with exit code {process.returncode}; see {log_file}."
        raise QueueWorkerError(problem)


def wait_for_run(
    connection: psycopg.Connection[tuple[Any, ...]],
    queue_job_id: int | None,
    check_alive: Callable[[], None],
) -> Row:
    """Return when the job has ended: its latest run.

    Raises:
        QueueWorkerError: the worker died, or the run did not succeed.
    """
    while (state := follow_job(connection, queue_job_id))["status"] in {"todo", "doing"}:
        check_alive()
        time.sleep(_LOOK_INTERVAL)
    if state["outcome"] != "succeeded":
        raise QueueWorkerError(
            f"Run {state['run_id']} {state['outcome']}: {state['error_class']}: "
            f"{state['error_message']}. See `queue-worker runs`."
        )
    return state
