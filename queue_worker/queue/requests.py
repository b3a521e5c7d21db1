"""What is asked of the queue and what it answers: the part that all clients share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from queue_worker.arguments import dump_arguments
from queue_worker.database import READ_ONLY, describe_target
from queue_worker.definitions import JobDefinition, is_priority, key_problem
from queue_worker.errors import ArgumentsError, DatabaseUnreachable, EnqueueError, QueueWorkerError
from queue_worker.observability.tracing import Trace
from queue_worker.queue.sqlalchemy import driver_error
from queue_worker.registry import JobRegistry

ArgsT = TypeVar("ArgsT")

BATCH_BYTES = 64_000_000  # Postgres holds some 250 MB in one jsonb, and each of us holds it too
LONGEST_DELAY = timedelta(days=36_500)
_NO_QUEUE = {"42883", "3F000", "42P01"}  # no such function, schema, table
_NOT_PREPARED = {"26000", "42P05"}  # no such prepared statement, and one of this name already
_IS_READ_ONLY = "25006"
_NO_CONNECTION = {"OperationalError", "InterfaceError"}  # as the DB-API names them


class EnqueueOptions(TypedDict, total=False):
    """What one may say of a single enqueue; each is explained at EnqueueRequest."""

    delay: timedelta | None
    run_at: datetime | None
    priority: int | None
    lock_key: str | None
    queueing_lock: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueRequest(Generic[ArgsT]):
    """One job to enqueue.

    Attributes:
        job: the definition, or its name.
        args: an instance of the job's model, a mapping that fits it, or None.
        delay: how long it must wait at least, by the database's clock.
        run_at: the moment it must wait for; instead of `delay`.
        priority: instead of the job's own; higher runs first.
        lock_key: instead of the job's own.
        queueing_lock: while a job with the same one waits, this one is not enqueued.
    """

    job: JobDefinition[ArgsT] | str
    args: ArgsT | None = None
    delay: timedelta | None = None
    run_at: datetime | None = None
    priority: int | None = None
    lock_key: str | None = None
    queueing_lock: str | None = None


@dataclass(frozen=True, slots=True)
class EnqueueAnswer:
    """What came of one request.

    Attributes:
        queue_job_id: the job in the queue: the new one or, where `enqueued` is False, the one
            that already waits (None where this transaction cannot see it).
        enqueued: False if a job with the same queueing lock already waits.
    """

    queue_job_id: int | None
    enqueued: bool


class Item(NamedTuple):
    """One job as the queue takes it: the parameters of `queue_worker.enqueue_job`, in their order.

    Arguments and trace are JSON texts, the delay is in seconds, and the moment an ISO 8601 text,
    since SQLAlchemy takes the zone from a datetime.
    """

    job: str
    queue: str
    priority: int
    lock_key: str | None
    queueing_lock: str | None
    args: str
    delay: float | None
    run_at: str | None
    trace: str | None


def write_item(
    registry: JobRegistry, request: EnqueueRequest[Any], max_bytes: int, trace: Trace | None
) -> Item:
    """What the queue is told of one request, which is good.

    Args:
        registry: the jobs there are.
        request: what is wanted.
        max_bytes: the largest arguments that are accepted.
        trace: the span that enqueues it, as headers; None where nothing is traced.

    Raises:
        UnknownJobError: the job is not in the registry.
        ArgumentsError: arguments or options do not fit.
    """
    job = registry.get(request.job if isinstance(request.job, str) else request.job.name)
    _check_options(job, request)
    return Item(
        job.name,
        job.queue,
        job.priority if request.priority is None else request.priority,
        request.lock_key or job.lock_key,
        request.queueing_lock,
        dump_arguments(job, request.args, max_bytes),
        request.delay.total_seconds() if request.delay else None,
        request.run_at.isoformat() if request.run_at else None,
        None if trace is None else json.dumps(trace),
    )


def write_batch(
    registry: JobRegistry,
    requests: Sequence[EnqueueRequest[Any]],
    max_bytes: int,
    trace: Trace | None,
) -> str:
    """The requests as the JSON that `queue_worker.enqueue_jobs` takes; all are good, or none is.

    Raises:
        UnknownJobError, ArgumentsError: as `write_item`; names the item, if there are several.
        EnqueueError: the batch is too large.
    """
    items: list[str] = []
    try:
        for request in requests:
            items.append(_as_json(write_item(registry, request, max_bytes, trace)))  # noqa: PERF401  an error says how far it came
    except QueueWorkerError as error:
        if len(requests) > 1:
            error.args = (f"Item {len(items) + 1} of {len(requests)}: {error}",)
        raise
    batch = f"[{','.join(items)}]"
    if len(batch) > BATCH_BYTES:
        raise EnqueueError(
            f"A batch of {len(batch):,} characters is more than {BATCH_BYTES:,}. Split it."
        )
    return batch


def read_answer(rows: Sequence[Sequence[Any]]) -> EnqueueAnswer:
    """The one row of `queue_worker.enqueue_job`."""
    ((queue_job_id, enqueued),) = rows
    return EnqueueAnswer(queue_job_id, enqueued)


def read_answers(rows: Sequence[Sequence[Any]]) -> list[EnqueueAnswer]:
    """The rows of `queue_worker.enqueue_jobs`, in the order of the requests."""
    in_order = sorted(rows, key=itemgetter(0))  # by the server it takes longer
    return [EnqueueAnswer(queue_job_id, enqueued) for _, queue_job_id, enqueued in in_order]


class Explained:
    """What a failed enqueue in this block means, without what the driver says: it quotes values.

    Raises:
        EnqueueError: the database refused it.
        DatabaseUnreachable: there is no connection.
    """

    __slots__ = ("_dsn",)

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is None:
            return
        found = error if isinstance(error, psycopg.Error) else driver_error(error)
        if found is not None:
            raise explain(found, describe_target(self._dsn)) from None


def explain(error: BaseException, target: str) -> QueueWorkerError:
    """What an error of a driver means, any driver's."""
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if code in _NO_QUEUE:
        return EnqueueError("The database has no queue yet. Run `queue-worker migrate`.")
    if isinstance(error, PoolTimeout):
        return DatabaseUnreachable(target, "no connection became free in time")
    if code == _IS_READ_ONLY:
        return DatabaseUnreachable(target, READ_ONLY)
    if code is None and _NO_CONNECTION & {base.__name__ for base in type(error).__mro__}:
        return DatabaseUnreachable(target, "the connection broke while enqueueing")
    if code in _NOT_PREPARED:
        return EnqueueError(
            "The connection prepares statements, and goes through a pooler that shares sessions. "
            "Switch that off (in psycopg: prepare_threshold=None) and enqueue again."
        )
    diagnosis = getattr(error, "diag", None)
    problem = getattr(diagnosis, "message_primary", None) or type(error).__name__
    return EnqueueError(
        f"The database refused the job: {problem}. Nothing was enqueued; remove the cause and "
        "enqueue again."
    )


def _as_json(item: Item) -> str:
    """Without what is not said: the server reads every name."""
    options: dict[str, object] = {"job": item.job, "queue": item.queue, "priority": item.priority}
    if item.lock_key is not None:
        options["lock_key"] = item.lock_key
    if item.queueing_lock is not None:
        options["queueing_lock"] = item.queueing_lock
    if item.delay is not None:
        options["delay"] = item.delay
    if item.run_at is not None:
        options["run_at"] = item.run_at
    trace = "" if item.trace is None else f', "trace": {item.trace}'
    return f'{json.dumps(options)[:-1]}, "args": {item.args}{trace}}}'


def _check_options(job: JobDefinition[Any], request: EnqueueRequest[Any]) -> None:
    def refuse(problem: str, remedy: str) -> None:
        raise ArgumentsError(job.name, [problem], remedy)

    if request.delay is not None and request.run_at is not None:
        refuse("delay and run_at exclude each other", "Give one of the two.")
    if request.delay is not None and abs(request.delay) > LONGEST_DELAY:
        refuse("delay is longer than a hundred years", "Give a shorter one.")
    if request.run_at is not None and request.run_at.tzinfo is None:
        refuse("run_at has no time zone", "Give an aware datetime, such as datetime.now(UTC).")
    if request.priority is not None and not is_priority(request.priority):
        refuse("priority is not a whole number of 32 bits", "Give a smaller int.")
    for name, key in (("lock_key", request.lock_key), ("queueing_lock", request.queueing_lock)):
        if key is not None and (problem := key_problem(key)):
            refuse(f"{name} {problem}", "Choose a short, plain key.")
