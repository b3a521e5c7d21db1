"""Child processes for plain `def` jobs: a thread cannot be killed, a process can.

Each child carries out one run at a time and is kept for the next one. It leads a process group of
its own, so that what a job has started ends with it; the keeper ends it with the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from queue_worker.errors import ChildDied, JobFunctionError
from queue_worker.execution.keeper import Keeper
from queue_worker.execution.messages import CallRequest, read_answer, receive, send
from queue_worker.settings import Settings

_IDLE_CHILDREN = 4  # kept for later runs; more end when their run does


class ChildProcesses:
    """The children of one worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keeper = Keeper()
        self._idle: list[_Child] = []

    async def call(self, request: CallRequest, grace: Callable[[], float]) -> None:
        """Have a child call a job function; cancelling this kills the child.

        Args:
            request: what to call.
            grace: tells, when it is killed, how many seconds it gets to clean up.

        Raises:
            JobFunctionError: the function raised.
            ChildDied: the child ended before it answered.
        """
        child = self._take_idle() or await _start_child(self._settings, self._keeper)
        try:
            await child.call(request)
        except JobFunctionError:
            self._keep(child)
            raise
        except ChildDied:
            raise
        except BaseException:
            await child.kill(grace())
            raise
        else:
            self._keep(child)

    def kill_all(self) -> None:
        """Kill every child and what it has started, at once and from any thread."""
        self._keeper.kill_all()

    async def close(self) -> None:
        """End the idle children."""
        idle, self._idle = self._idle, []
        for child in idle:
            await child.kill(0)
        self._keeper.close()

    def _take_idle(self) -> _Child | None:
        """An idle child that still lives: one that died while it waited is no run's fault."""
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                return child
            child.dismiss()
        return None

    def _keep(self, child: _Child) -> None:
        if len(self._idle) < _IDLE_CHILDREN:
            self._idle.append(child)
        else:
            child.dismiss()


class _Child:
    """One child process and the socket to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        keeper: Keeper,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._keeper = keeper
        keeper.watch(process.pid)

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def call(self, request: CallRequest) -> None:
        try:
            await send(self._writer, request.as_message())
            answer = await receive(self._reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.dismiss()
            raise ChildDied(await self._process.wait()) from None
        read_answer(answer)

    async def kill(self, grace: float) -> None:
        """End the whole process group: politely if there is time, then for good."""
        self._signal(signal.SIGTERM if grace else signal.SIGKILL)
        try:
            async with asyncio.timeout(grace):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self.dismiss()
            await self._process.wait()

    def dismiss(self) -> None:
        """End what is left of its process group: it carries out nothing."""
        self._signal(signal.SIGKILL)
        self._keeper.forget(self._process.pid)
        self._writer.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


async def _start_child(settings: Settings, keeper: Keeper) -> _Child:
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "queue_worker.execution.child",
                str(theirs.fileno()),
                str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=_environment(settings),
            )
        reader, writer = await asyncio.open_connection(sock=ours)
    except BaseException:
        ours.close()  # a child that has started reads its end, and ends too
        raise
    return _Child(process, reader, writer, keeper)


def _environment(settings: Settings) -> dict[str, Any]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, **settings.as_environment(), "PYTHONPATH": path}
