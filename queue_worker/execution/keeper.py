"""End the process groups of a worker's children when the worker is gone, however it went.

The kernel kills a child with its worker (on Linux), but not what the child's job has started. So a
worker that has children has a keeper: one small process that blocks on a pipe from the worker and
kills the groups that are still in use when the worker has gone. It runs no job, so no job can block
it, and it is nobody's child but the worker's, so a job that waits for its own children is not held
up. This file is both sides: the worker imports it, and the process runs it as a script that imports
nothing of ours, to start within milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

_LOOK_INTERVAL = 0.5  # seconds; a process that the worker forked may hold the pipe open as well


class Keeper:
    """Knows the process groups in use by one worker, and has them killed when the worker is gone.

    Its process starts with the first group, and again should somebody have killed it.
    """

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """This process group must not outlive the worker."""
        self._groups.add(group)
        self._say(group)

    def forget(self, group: int) -> None:
        """This process group has ended: its number may soon be somebody else's."""
        self._groups.discard(group)
        self._say(-group)

    def kill_all(self) -> None:
        """Kill every group that is in use, at once and from any thread."""
        _kill(set(self._groups))

    def close(self) -> None:
        """End the process, and with it every group that is still in use."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _say(self, change: int) -> None:
        if self._process is not None and self._process.poll() is None:
            _write(self._process, [change])
            return
        self.close()
        if self._groups:
            self._process = _start()
            _write(self._process, self._groups)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own file
        [sys.executable, "-I", "-S", __file__, str(os.getpid())],
        stdin=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )


def _write(process: subprocess.Popen[bytes], changes: set[int] | list[int]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # killed just now: the next change restarts it
            process.stdin.write("".join(f"{change}\n" for change in changes).encode())


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.wait()


def _keep(worker_pid: int) -> None:
    """Read which groups are in use until the worker is gone; then kill them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever ends the worker must not end this first
    groups: set[int] = set()
    unread = b""
    while os.getppid() == worker_pid:
        if not select.select([0], [], [], _LOOK_INTERVAL)[0]:
            continue
        said = os.read(0, 65536)
        if not said:
            break
        *lines, unread = (unread + said).split(b"\n")
        for change in map(int, lines):
            groups.add(change) if change > 0 else groups.discard(-change)
    _kill(groups)


def _kill(groups: set[int]) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _keep(int(sys.argv[1]))
