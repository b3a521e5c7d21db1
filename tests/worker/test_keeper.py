"""The keeper ends the process groups of a worker that is gone; here a small script is the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.faults import is_alive
from tests.support.processes import REPOSITORY

# Prints the pids of: what is watched, what is watched no more, the keeper.
SCRIPT = """
import subprocess, sys, time
from queue_worker.execution.keeper import Keeper
keeper = Keeper()
sleeper = lambda: subprocess.Popen(["sleep", "60"], start_new_session=True)
first, second, third = sleeper(), sleeper(), sleeper()
keeper.watch(first.pid)
if "killed" in sys.argv:
    keeper._process.kill()
    keeper._process.wait()
keeper.watch(second.pid)
keeper.watch(third.pid)
keeper.forget(third.pid)
pipe = keeper._process.stdin.fileno()
holder = subprocess.Popen(["sleep", "60"], pass_fds=[pipe] if "held" in sys.argv else [])
print(first.pid, second.pid, third.pid, keeper._process.pid, holder.pid, flush=True)
time.sleep(60)
"""


@contextmanager
def worker(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    try:
        yield process, pids
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        for pid in pids:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def ignores(pid: int, number: int) -> bool:
    status = dict(
        line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool(int(status["SigIgn"], 16) & 1 << number - 1)


@pytest.mark.parametrize("how", ["alone", "held", "killed"])
def test_what_is_watched_ends_with_the_worker_and_nothing_else_does(how: str) -> None:
    """Also if a process that the worker has forked holds the pipe, or if a keeper was killed."""
    with worker(how) as (process, (first, second, forgotten, keeper, _)):
        eventually(lambda: ignores(keeper, signal.SIGTERM))
        os.kill(keeper, signal.SIGTERM)  # as a supervisor does that signals a whole control group
        process.kill()
        eventually(lambda: not is_alive(first) and not is_alive(second), within=3)
        eventually(lambda: not is_alive(keeper))
        assert is_alive(forgotten)
