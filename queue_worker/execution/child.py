"""The child process of plain `def` jobs: reads a request, calls the function, answers.

Started by the worker as `python -m queue_worker.execution.child <socket> <worker's pid>`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import inspect
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import structlog

from queue_worker.definitions import JobDefinition
from queue_worker.errors import RunError
from queue_worker.execution.failure import describe_failure
from queue_worker.execution.messages import (
    CallRequest,
    Message,
    failed,
    pack,
    receive_blocking,
    succeeded,
)
from queue_worker.observability.logs import configure_logs
from queue_worker.observability.output import logged_output
from queue_worker.settings import Settings, load_settings

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve one worker until it closes the socket or dies."""
    descriptor, worker_pid = int(sys.argv[1]), int(sys.argv[2])
    _die_with(worker_pid)
    settings = load_settings()
    configure_logs(settings)
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rb") as requests:
        while (message := receive_blocking(requests)) is not None:
            channel.sendall(pack(_carry_out(CallRequest(**message), settings)))


def _die_with(worker_pid: int) -> None:
    """A job must not outlive the worker that holds its lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker_pid:
        sys.exit("the worker that started this process is gone")


def _carry_out(request: CallRequest, settings: Settings) -> Message:
    with (
        structlog.contextvars.bound_contextvars(**request.facts),
        logged_output(),
        _trace(request, settings),
    ):
        try:
            with _memory_limit(request.max_memory_mb):
                _call(request, settings)
        except BaseException as error:  # noqa: BLE001  SystemExit too is only a failed run
            return failed(describe_failure(error))
        return succeeded()


def _trace(request: CallRequest, settings: Settings) -> AbstractContextManager[None]:
    if request.trace is None or not settings.tracing:
        return contextlib.nullcontext()
    from queue_worker.observability.spans import continued  # noqa: PLC0415  an extra

    return continued(request.trace)


@contextlib.contextmanager
def _memory_limit(mebibytes: int | None) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    if mebibytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes * 1024 * 1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _call(request: CallRequest, settings: Settings) -> None:
    job = _find(request.module, request.qualname)
    function = job.function if isinstance(job, JobDefinition) else job
    context = request.context(settings, time.monotonic())
    if request.model is None:
        returned = function(context)
    else:
        returned = function(context, _find(*request.model).model_validate_json(request.arguments))
    if inspect.isawaitable(returned):
        raise RunError(
            f"Job {request.job!r} is a plain `def` that returned an awaitable, so its work was not "
            "done. Declare it as an `async def`, or wrap it in a decorator that keeps it one."
        )


def _find(module: str, qualname: str) -> Any:  # noqa: ANN401  a function, a definition or a model
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found


if __name__ == "__main__":
    main()
