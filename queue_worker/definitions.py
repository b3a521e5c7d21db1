"""What a job is: its name, function, schedule, lock key, timeout and retry policy.

A definition is frozen and checked whole when it is declared, so that nothing about it can fail
for the first time at three in the morning.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, fields
from datetime import timedelta
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, RootModel
from pydantic.errors import PydanticUserError

from queue_worker.errors import DefinitionError
from queue_worker.schedules import Manual, Schedule

ArgsT = TypeVar("ArgsT")

NAME_BYTES = 128  # procrastinate_jobs.task_name is varchar(128)
QUEUE_BYTES = 40  # the NOTIFY channel "procrastinate_queue_v1#<queue>" ends at 63 bytes
LOCK_KEY_BYTES = 512  # a btree entry holds some 2,700 bytes; a longer key is surely a mistake
MOST_CATCH_UP = 1_000
LEAST_MEMORY_MB = 256
LONGEST_TIMEOUT = timedelta(days=7)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late a failed run is tried again. Without one a job is never retried.

    The wait before attempt n+1 is `wait * factor ** (n - 1)`, at most `longest_wait`.

    Attributes:
        attempts: how many runs there are at most, the first included.
        wait: the time before the second run.
        factor: by how much each wait is longer than the one before.
        longest_wait: the cap on one wait.
    """

    attempts: int
    _: KW_ONLY
    wait: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    longest_wait: timedelta = timedelta(hours=1)

    def problem(self) -> str | None:
        """What is wrong with this policy, or None."""
        if not _is_whole(self.attempts) or not 2 <= self.attempts <= 100:  # noqa: PLR2004  the bounds stand in the message
            return "needs 2 to 100 attempts"
        if not all(isinstance(wait, timedelta) for wait in (self.wait, self.longest_wait)):
            return "needs waits that are timedeltas"
        if not timedelta(0) <= self.wait <= self.longest_wait:
            return "needs a wait from zero up to longest_wait"
        if not (math.isfinite(self.factor) and self.factor >= 1):
            return "needs a finite factor of at least 1"
        return None

    def wait_after(self, attempt: int) -> timedelta | None:
        """How long to wait after this attempt has failed; None when it was the last."""
        if attempt >= self.attempts:
            return None
        longest = self.longest_wait.total_seconds()
        try:
            wait = self.wait.total_seconds() * self.factor ** (attempt - 1)
        except OverflowError:
            wait = longest
        return timedelta(seconds=min(wait, longest))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition(Generic[ArgsT]):
    """One job.

    Attributes:
        name: what it is called everywhere: queue, ledger, metrics, logs.
        function: an `async def` (runs on the event loop) or a plain `def` (runs in a child
            process); takes a JobContext and, where `args` is set, the arguments.
        timeout: after this the run is ended; there is no infinite timeout.
        args: the pydantic model of its arguments, or None if it takes none.
        schedule: when it is due by itself.
        lock: at most one run holding this key executes at any time in the whole fleet. A
            scheduled job without one is locked by its own name.
        queue: the queue it waits in.
        priority: higher runs first.
        retry: how a failed run is tried again; None means never.
        restartable: whether a run that was cut off (its worker stopped or died) may simply be
            run again: declare it of a job that is idempotent.
        catch_up: how many of the ticks that passed while no worker was there are run afterwards:
            0 for none, 1 for the latest, n for the latest n. The others are recorded as missed.
        max_memory_mb: the most address space that the child process of a plain `def` may use, in
            MiB; past it the job gets a MemoryError.
        log_fields: the arguments that log lines may show; the others never stand in one.
        owner: who answers for it.
        runbook: where it says what to do when it fails.
        description: one line for people; by default the first line of the function's docstring.

    Raises:
        DefinitionError: something about the declaration is wrong.
    """

    name: str
    function: Callable[..., Any]
    timeout: timedelta
    args: type[BaseModel] | None = None
    schedule: Schedule = field(default_factory=Manual)
    lock: str | None = None
    queue: str = "default"
    priority: int = 0
    retry: RetryPolicy | None = None
    restartable: bool = False
    catch_up: int = 1
    max_memory_mb: int | None = None
    log_fields: tuple[str, ...] = ()
    owner: str = ""
    runbook: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        _check_name(self)
        _check_function(self)
        _check_timeout(self)
        _check_args(self)
        _check_schedule(self)
        _check_place_in_queue(self)
        _check_limits(self)
        _check_log_fields(self)
        if not self.description:
            first_line = (inspect.getdoc(self.function) or "").partition("\n")[0]
            object.__setattr__(self, "description", first_line)

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop (or else in a child process)."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def is_scheduled(self) -> bool:
        """Whether a schedule makes it due."""
        return not isinstance(self.schedule, Manual)

    @property
    def lock_key(self) -> str | None:
        """The key its runs exclude each other by; None lets them overlap."""
        return self.lock or (self.name if self.is_scheduled else None)

    def replace(self, **changes: Any) -> JobDefinition[ArgsT]:  # noqa: ANN401  any field
        """The same job with some parts changed, checked again."""
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        return type(self)(**(kept | changes))


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _check_name(job: JobDefinition[Any]) -> None:
    if not isinstance(job.name, str) or not _NAME.fullmatch(job.name):
        raise DefinitionError(
            str(job.name),
            "name",
            "is not a name",
            "Use letters, digits and . _ : - and begin with a letter.",
        )
    if len(job.name.encode()) > NAME_BYTES:
        raise DefinitionError(
            job.name, "name", f"is longer than {NAME_BYTES} bytes", "Choose a shorter name."
        )


def _check_function(job: JobDefinition[Any]) -> None:
    if not callable(job.function) or inspect.isclass(job.function):
        raise DefinitionError(
            job.name, "function", "cannot be called", "Give an `async def` or a `def`."
        )
    if inspect.isasyncgenfunction(job.function) or inspect.isgeneratorfunction(job.function):
        raise DefinitionError(
            job.name, "function", "is a generator", "Return from it instead of yielding."
        )
    wanted = 1 if job.args is None else 2
    try:
        inspect.signature(job.function).bind(*range(wanted))
    except (TypeError, ValueError):
        takes = "(ctx)" if job.args is None else "(ctx, args)"
        raise DefinitionError(
            job.name, "function", f"does not take {takes}", f"Declare it as {takes}."
        ) from None
    is_local = "<locals>" in getattr(job.function, "__qualname__", "<locals>")
    if is_local and not job.is_async:
        raise DefinitionError(
            job.name,
            "function",
            "is a plain `def` that a child process cannot import",
            "Move it to the top level of a module, or make it an `async def`.",
        )


def _check_timeout(job: JobDefinition[Any]) -> None:
    if not isinstance(job.timeout, timedelta) or not (
        timedelta(0) < job.timeout <= LONGEST_TIMEOUT
    ):
        raise DefinitionError(
            job.name,
            "timeout",
            "is not a duration between zero and seven days",
            "Give one, such as timeout=timedelta(minutes=5).",
        )


def _check_args(job: JobDefinition[Any]) -> None:
    if job.args is None:
        return
    if not isinstance(job.args, type) or not issubclass(job.args, BaseModel):
        raise DefinitionError(
            job.name, "args", "is not a pydantic model", "Give a subclass of pydantic.BaseModel."
        )
    if issubclass(job.args, RootModel):
        raise DefinitionError(
            job.name, "args", "is no JSON object", "Give the value a name: a field of a BaseModel."
        )
    try:
        schema = job.args.model_json_schema()
    except PydanticUserError as error:
        raise DefinitionError(
            job.name,
            "args",
            f"has no JSON schema ({str(error).partition(chr(10))[0]})",
            "Use types that JSON can hold, defined above the job.",
        ) from None
    if '"writeOnly": true' in json.dumps(schema):
        raise DefinitionError(
            job.name,
            "args",
            "has a secret field, but arguments stand in the queue for all to read",
            "Pass the name of the secret, and look it up in the job.",
        )


def _check_schedule(job: JobDefinition[Any]) -> None:
    if isinstance(job.schedule, Manual):
        return
    if not isinstance(job.schedule, Schedule):
        raise DefinitionError(
            job.name, "schedule", "is not a schedule", "Use every(...), cron(...) or manual()."
        )
    problem = job.schedule.problem()
    if problem:
        raise DefinitionError(
            job.name,
            "schedule",
            problem,
            'Use every(minutes=5) or cron("0 6 * * *", timezone="Europe/Berlin").',
        )
    if job.args is not None and any(f.is_required() for f in job.args.model_fields.values()):
        raise DefinitionError(
            job.name,
            "args",
            "has required fields, but a schedule has nobody to fill them",
            "Give each field a default, or make the job manual().",
        )


def _check_limits(job: JobDefinition[Any]) -> None:
    if not _is_whole(job.catch_up) or not 0 <= job.catch_up <= MOST_CATCH_UP:
        raise DefinitionError(
            job.name,
            "catch_up",
            f"is not 0 to {MOST_CATCH_UP}",
            "Use 0 for none, 1 for the latest.",
        )
    if job.max_memory_mb is None:
        return
    if job.is_async:
        raise DefinitionError(
            job.name,
            "max_memory_mb",
            "limits a child process, but an `async def` runs in the worker itself",
            "Make it a plain `def`, or leave the limit out.",
        )
    if not _is_whole(job.max_memory_mb) or job.max_memory_mb < LEAST_MEMORY_MB:
        raise DefinitionError(
            job.name,
            "max_memory_mb",
            f"is not a whole number from {LEAST_MEMORY_MB} on",
            "Python alone needs as much.",
        )


def _check_log_fields(job: JobDefinition[Any]) -> None:
    known = job.args.model_fields if job.args else {}
    given = job.log_fields
    if not isinstance(given, tuple) or not all(isinstance(name, str) for name in given):
        raise DefinitionError(
            job.name, "log_fields", "is not a tuple of names", 'Write log_fields=("content_id",).'
        )
    if unknown := [name for name in given if name not in known]:
        raise DefinitionError(
            job.name,
            "log_fields",
            f"names {unknown[0]!r}, which is no field of its arguments",
            "Name fields of the model that is given as args.",
        )


def _check_place_in_queue(job: JobDefinition[Any]) -> None:
    if not _is_queue_name(job.queue):
        raise DefinitionError(
            job.name,
            "queue",
            f"is not a plain name of 1 to {QUEUE_BYTES} bytes",
            "Choose a short name without spaces, commas and control characters: "
            "Postgres cuts a longer one off in NOTIFY.",
        )
    if job.lock is not None and (problem := key_problem(job.lock)):
        raise DefinitionError(job.name, "lock", problem, "Choose a short, plain key.")
    if not is_priority(job.priority):
        raise DefinitionError(
            job.name, "priority", "is not a whole number of 32 bits", "Give a smaller int."
        )
    if job.retry is not None:
        _check_retry(job, job.retry)


def _check_retry(job: JobDefinition[Any], retry: RetryPolicy) -> None:
    is_policy = isinstance(retry, RetryPolicy)
    problem = retry.problem() if is_policy else "is not a RetryPolicy"
    if problem:
        raise DefinitionError(
            job.name, "retry", problem, "Use RetryPolicy(3, wait=timedelta(seconds=10))."
        )


def is_priority(number: object) -> bool:
    """Whether Postgres can store it as a priority."""
    return isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**31


def key_problem(key: object) -> str | None:
    """What is wrong with a lock key or a queueing lock, or None."""
    if not isinstance(key, str):
        return "is not a text"
    if not key.isprintable():
        return "holds a control character"
    if not 0 < len(key.encode()) <= LOCK_KEY_BYTES:
        return f"is not 1 to {LOCK_KEY_BYTES} bytes long"
    return None


def _is_queue_name(queue: object) -> bool:
    return (
        isinstance(queue, str)
        and queue.isprintable()
        and not {" ", ","} & set(queue)
        and 0 < len(queue.encode()) <= QUEUE_BYTES
    )
