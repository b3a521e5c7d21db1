"""Notice that the event loop is blocked, and by whom: from a thread, as the loop can't."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback

import structlog

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

PATIENCE = 2.0  # seconds that the loop may take to answer


class Watchdog:
    """Logs the stack of the event loop's thread whenever the loop does not answer in time.

    It ends nothing: the heartbeat goes on, so that nobody takes this worker for dead.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._answered = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self.is_blocked = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._stopping.set()
        self._answered.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(PATIENCE / 2):
            self._answered.clear()
            self._loop.call_soon_threadsafe(self._answered.set)
            if not self._answered.wait(PATIENCE):
                self._report_until_answered()

    def _report_until_answered(self) -> None:
        self.is_blocked = True
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  documented, and the only way
        log.error("loop.blocked", stack="".join(traceback.format_stack(frame)[-10:]))
        self._answered.wait()
        self.is_blocked = False
        if not self._stopping.is_set():
            log.warning("loop.answers_again")
