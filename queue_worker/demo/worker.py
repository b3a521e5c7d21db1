"""A real worker process for the demo, and jobs that are run through it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from queue_worker.errors import QueueWorkerError
from queue_worker.governance.reports import Row, follow_job
from queue_worker.settings import Settings

_LOOK_INTERVAL = 0.1  # seconds between two looks at a job that is waited for
_STOP_TIME = 30  # seconds that the worker gets to end


@dataclass(frozen=True, slots=True)
class DemoWorker:
    """A worker process and the file that its log goes to."""

    process: subprocess.Popen[bytes]
    log_file: Path

    def wait_for(
        self, connection: psycopg.Connection[tuple[Any, ...]], queue_job_id: int | None
    ) -> Row:
        """Return when the job has ended: its latest run.

        Raises:
            QueueWorkerError: the worker died, or the run did not succeed.
        """
        while (state := follow_job(connection, queue_job_id))["status"] in {"todo", "doing"}:
            if self.process.poll() is not None:
                raise self.failure("died")
            time.sleep(_LOOK_INTERVAL)
        if state["outcome"] != "succeeded":
            raise QueueWorkerError(
                f"Run {state['run_id']} {state['outcome']}: {state['error_class']}: "
                f"{state['error_message']}. See {self.log_file}."
            )
        return state

    def stop(self) -> None:
        """Ask it to stop, and see to it that it does."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_TIME)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def failure(self, how: str) -> QueueWorkerError:
        """The error for a worker that ended in this way."""
        code = self.process.returncode
        return QueueWorkerError(f"The worker {how} with exit code {code}. See {self.log_file}.")


@contextmanager
def running_worker(settings: Settings, log_file: Path) -> Iterator[DemoWorker]:
    """A worker with these settings for as long as the block lasts, then it is asked to stop.

    Raises:
        QueueWorkerError: the worker did not end well.
    """
    with log_file.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "queue_worker", "worker"],
            env={**os.environ, **settings.as_environment()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    worker = DemoWorker(process, log_file)
    try:
        yield worker
    finally:
        worker.stop()
    if process.returncode:
        raise worker.failure("stopped")
