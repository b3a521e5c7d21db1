"""The exit codes of a process, and the way out where its event loop is of no use any more."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import NoReturn

from queue_worker.worker import timing

EXIT_STOPPED = 0
EXIT_FAILED = 70  # EX_SOFTWARE


def exit_now(code: int) -> NoReturn:
    """End the process although something would keep its event loop going."""
    within_last_words(logging.shutdown)
    os._exit(code)


def within_last_words(action: Callable[[], object]) -> None:
    """Do it, but wait for it no longer than LAST_WORDS: what blocks may be the log itself."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(timing.LAST_WORDS)
