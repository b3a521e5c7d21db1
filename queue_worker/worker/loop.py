"""The event loop of a worker: uvloop's where it is installed (the extra `uvloop`), or asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from queue_worker.errors import SettingsError
from queue_worker.settings import Settings

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], settings: Settings) -> T:
    """The result of `work`, on a new event loop as the settings say.

    Raises:
        SettingsError: uvloop is asked for and not installed.
    """
    with asyncio.Runner(loop_factory=_loop_factory(settings)) as runner:
        return runner.run(work)


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
