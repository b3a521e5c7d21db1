"""The event loop of a worker: uvloop's where it is installed (the extra `uvloop`), or asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from queue_worker.errors import SettingsError
from queue_worker.settings import Settings


def new_runner(settings: Settings) -> asyncio.Runner:
    """Runs coroutines on a new event loop, as the settings say; used in a `with` block.

    Raises:
        SettingsError: uvloop is asked for and not installed.
    """
    return asyncio.Runner(loop_factory=_loop_factory(settings))


def _loop_factory(settings: Settings) -> Callable[[], asyncio.AbstractEventLoop]:
    is_installed = find_spec("uvloop") is not None
    if settings.event_loop == "uvloop" and not is_installed:
        raise SettingsError(
            "QUEUE_WORKER_EVENT_LOOP",
            "is uvloop, which is not installed",
            "Install queue-worker[uvloop], or choose asyncio.",
        )
    if settings.event_loop == "asyncio" or not is_installed:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory
