"""Real `queue-worker` processes for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.roles import as_login
from tests.support.schemas import schema_variables

REPOSITORY = Path(__file__).resolve().parents[2]
JOBS = "tests.support.jobs:without_ticker"


def environment(dsn: str, **extra: str) -> dict[str, str]:
    """What a process of ours gets to see, and nothing of the caller's settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "LANG", "TMPDIR", "TEST_SCHEMA"}
    }
    return {
        **kept,
        **schema_variables(),
        "DATABASE_URL": dsn,
        "QUEUE_WORKER_APP": JOBS,
        "PYTHONWARNINGS": "error",
        "QUEUE_WORKER_ALERT_SINKS": "none:",  # or else its delivery is one more run
        "QUEUE_WORKER_VALIDATION_SCHEDULE": "manual",
        "QUEUE_WORKER_EVENT_LOOP": os.environ.get("TEST_EVENT_LOOP", "auto"),
        **extra,
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from queue_worker.cli import main; main()", *arguments]


def _on_path(env: dict[str, str], checkout: Path) -> dict[str, str]:
    return env | {"PYTHONPATH": ":".join([str(checkout), *env.get("PYTHONPATH", "").split(":")])}


def call(
    env: dict[str, str], *arguments: str, timeout: float = 60, checkout: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; `checkout` is where the code of an older version is."""
    return subprocess.run(
        command(*arguments), env=_on_path(env, checkout), cwd=checkout, capture_output=True, text=True,
        timeout=timeout, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def as_worker(env: dict[str, str]) -> dict[str, str]:
    """The same environment with the login of a worker."""
    dsns = {name: env[name] for name in ("DATABASE_URL", "QUEUE_WORKER_DIRECT_URL") if name in env}
    return env | {name: as_login(dsn, "worker") for name, dsn in dsns.items()}


class WorkerProcess:
    """A worker in a process of its own; its log lines are read as they come."""

    def __init__(self, env: dict[str, str], *arguments: str, checkout: Path = REPOSITORY) -> None:
        self.lines: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            command("worker", *arguments), cwd=checkout,
            env={**_on_path(as_worker(env), checkout), "QUEUE_WORKER_LOG_FORMAT": "json"},
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, event: str, *, within: float = 30, **facts: object) -> dict[str, Any]:
        """The first log line with this event and these facts."""

        def find() -> dict[str, Any] | None:
            return next(
                (
                    line
                    for line in self.lines
                    if line.get("event") == event and facts.items() <= line.items()
                ),
                None,
            )

        with self._news:
            self._news.wait_for(lambda: find() or self.process.poll() is not None, within)
        found = find()
        assert found, f"no {event} {facts} in {self.lines[-20:]}"
        return found

    def stop(self, number: int = signal.SIGTERM, within: float = 40) -> int:
        """Signal it, and wait for its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(within)
        self._reader.join(5)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"event": "raw", "text": text}
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


@contextmanager
def worker_process(env: dict[str, str], *arguments: str) -> Iterator[WorkerProcess]:
    """A worker that has started; killed at the end of the block if it still lives."""
    worker = WorkerProcess(env, *arguments)
    try:
        worker.wait_for("worker.started")
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.stop(signal.SIGKILL)
