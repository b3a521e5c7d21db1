"""What a worker and its child processes say to each other: JSON, each with its length in front."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from queue_worker.context import JobContext
from queue_worker.errors import JobFunctionError
from queue_worker.execution.failure import Failure
from queue_worker.settings import Settings

_LENGTH = struct.Struct("!I")
Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """Call a job function for a run.

    Attributes:
        module: where the function is defined.
        qualname: its name there; may refer to the JobDefinition that the decorator left.
        model: module and name of the arguments' model; None if it takes none.
        arguments: the JSON text of its arguments.
        remaining: seconds until the deadline.
        max_memory_mb: the most address space the call may use, in MiB; None for no limit.
        facts: what each log line of the call carries.
        trace: the span of the run, as headers; None where nothing is traced.
    """

    module: str
    qualname: str
    model: tuple[str, str] | None
    arguments: str
    job: str
    run_id: str
    attempt: int
    queue: str
    lock_key: str | None
    due_at: str | None
    enqueued_at: str
    timeout: float
    remaining: float
    max_memory_mb: int | None
    facts: dict[str, Any]
    trace: Mapping[str, str] | None

    def as_message(self) -> Message:
        """The request as JSON."""
        return asdict(self)

    def context(self, settings: Settings, now: float) -> JobContext:
        """The job's context on the child's own clock (`now` is its `time.monotonic()`)."""
        return JobContext(
            job=self.job,
            run_id=self.run_id,
            attempt=self.attempt,
            queue=self.queue,
            lock_key=self.lock_key,
            due_at=datetime.fromisoformat(self.due_at) if self.due_at else None,
            enqueued_at=datetime.fromisoformat(self.enqueued_at),
            timeout=self.timeout,
            started=now + self.remaining - self.timeout,
            settings=settings,
        )


def succeeded() -> Message:
    """The answer of a function that returned."""
    return {"failure": None}


def failed(failure: Failure) -> Message:
    """The answer of a function that raised."""
    return {"failure": asdict(failure)}


def read_answer(answer: Message) -> None:
    """Return if the function returned.

    Raises:
        JobFunctionError: it raised.
    """
    found = answer["failure"]
    if found is not None:
        raise JobFunctionError(found["error_class"], found["message"], found["traceback"] or "")


def pack(message: Message) -> bytes:
    """A message as bytes."""
    body = json.dumps(message).encode()
    return _LENGTH.pack(len(body)) + body


async def send(writer: asyncio.StreamWriter, message: Message) -> None:
    """Write one message.

    Raises:
        ConnectionError: nobody reads any more.
    """
    writer.write(pack(message))
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> Message:
    """Read one message.

    Raises:
        asyncio.IncompleteReadError: the other side has ended.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    message: Message = json.loads(await reader.readexactly(length))
    return message


def receive_blocking(stream: Any) -> Message | None:  # noqa: ANN401  a socket's file object
    """Read one message; None when the other side has ended."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    message: Message = json.loads(stream.read(_LENGTH.unpack(head)[0]))
    return message
