"""The environment of the processes under test: nothing of the caller's settings, no checks."""

from __future__ import annotations

from tests.support import processes


def environment(dsn: str, **extra: str) -> dict[str, str]:
    """What a process on this database gets to see; a warning does not end it, and alerts are on."""
    env = processes.environment(dsn, **extra)
    del env["PYTHONWARNINGS"], env["QUEUE_WORKER_ALERT_SINKS"]
    return env
