"""Notice that the event loop is blocked, and by whom: from a thread, as the loop can't."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable

import structlog

from queue_worker.settings import Settings
from queue_worker.worker.exits import within_last_words

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

PATIENCE = 2.0  # seconds that the loop may take to answer
SLACK = 5.0  # seconds on top of every limit before a blocked loop is given up
_LOOK = 1.0  # seconds between two looks at a loop that is blocked
_LOST = 30.0  # seconds without a look after which the watchdog itself must be taken for dead
_ANSWER, _STOP = 0, 255  # what is no number of a signal


class Watchdog:
    """Logs the stack of the event loop's thread whenever the loop does not answer in time.

    The heartbeat goes on, so nobody takes this worker for dead; so if the loop will not answer any
    more, this gives it up. That is so when what blocks it has passed its deadline and the grace, or
    when a stop was asked for and the drain timeout and the grace have passed.

    Args:
        settings: the drain timeout and the grace.
        deadline: tells by when, on `time.monotonic()`, the task of this name must be over.
        give_up: ends the process; called from a thread, with the stack of what blocks the loop.
        on_alive: called from a thread, again and again, while the loop answers or may yet do so.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        deadline: Callable[[str], float],
        give_up: Callable[[str], object],
        on_alive: Callable[[], object],
    ) -> None:
        self._drain_timeout = settings.drain_timeout
        self._least = settings.cancel_grace + SLACK
        self._deadline = deadline
        self._give_up = give_up
        self._on_alive = on_alive
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._inbox, self._outbox = socket.socketpair()
        self._outbox.setblocking(False)
        self._loops_descriptor = -1
        self._stops: list[float] = []  # when a stop was asked for, by `time.monotonic()`
        self._is_stopping = False
        self._looked = time.monotonic()
        self.is_loop_blocked = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._post(_STOP)
        self._thread.join()
        self._inbox.close()
        self._outbox.close()

    @property
    def is_watching(self) -> bool:
        """Whether its thread still looks at the loop."""
        return self._thread.is_alive() and time.monotonic() - self._looked < _LOST

    def tap_signals(self) -> None:
        """Hear of signals before the loop does, whose handlers must be installed.

        The interpreter writes their numbers to a descriptor, which asyncio makes its own. That is
        done in C as soon as a signal comes, even while the main thread waits in C for ever, where
        no Python handler would be called. From here they are handed on.
        """
        self._loops_descriptor = signal.set_wakeup_fd(
            self._outbox.fileno(), warn_on_full_buffer=False
        )

    def untap_signals(self) -> None:
        """Leave them to the loop again."""
        signal.set_wakeup_fd(self._loops_descriptor)

    def _run(self) -> None:
        while not self._is_stopping:
            self._read_for(PATIENCE / 2)
            self._looked = time.monotonic()
            self._loop.call_soon_threadsafe(self._post, _ANSWER)
            if not self._read_for(PATIENCE) and not self._is_stopping:
                self._watch_blocked_loop()
            self._on_alive()

    def _watch_blocked_loop(self) -> None:
        self.is_loop_blocked = True
        _say(log.error, "loop.blocked", stack=self._stack())
        blocked_for = 0.0
        while not self._read_for(_LOOK) and not self._is_stopping:
            # Not by the clock: a process that was frozen must find the time to answer.
            blocked_for += _LOOK
            self._looked = time.monotonic()
            if blocked_for >= self._least and time.monotonic() >= self._limit():
                self._give_up(self._stack())
            else:
                self._on_alive()
        self.is_loop_blocked = False
        if not self._is_stopping:
            _say(log.warning, "loop.answers_again")

    def _limit(self) -> float:
        task = asyncio.current_task(self._loop)
        limits = [self._deadline(task.get_name() if task else "")]
        if self._stops:
            limits.append(self._stops[0] + self._drain_timeout)
            limits += self._stops[1:]
        return min(limits) + self._least

    def _read_for(self, seconds: float) -> bool:
        """Hand on what comes in; returns at the end of this time, or True once the loop answers."""
        end = time.monotonic() + seconds
        while not self._is_stopping and (left := end - time.monotonic()) > 0:
            self._inbox.settimeout(left)
            with contextlib.suppress(TimeoutError):
                if self._read(self._inbox.recv(512)):
                    return True
        return False

    def _read(self, received: bytes) -> bool:
        self._is_stopping = self._is_stopping or _STOP in received
        signals = bytes(number for number in received if number not in {_ANSWER, _STOP})
        if signals:
            with contextlib.suppress(OSError):
                os.write(self._loops_descriptor, signals)
            asked = {signal.SIGTERM, signal.SIGINT}
            self._stops += [time.monotonic() for number in signals if number in asked]
        return _ANSWER in received

    def _post(self, message: int) -> None:
        with contextlib.suppress(OSError):  # it is full, or closed already
            self._outbox.send(bytes([message]))

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  documented, and the only way
        return "".join(traceback.format_stack(frame)[-10:])


def _say(event: Callable[..., object], name: str, **facts: object) -> None:
    within_last_words(lambda: event(name, **facts))
