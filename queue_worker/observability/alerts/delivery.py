"""Send the messages that are due, all sinks at the same time, each of them in order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from queue_worker.errors import SinkDown, SinkRefused
from queue_worker.observability.alerts.message import AlertMessage, presentable
from queue_worker.observability.alerts.sink import Sink

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("queue_worker.alerts")

PATIENCE = 15.0  # seconds after which a sink that answers slowly gets no further message this time


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one message for one sink."""

    message_id: str
    state: Literal["delivered", "failed", "untried"]
    answer: str


async def send_all(sink: Sink | None, name: str, messages: Sequence[AlertMessage]) -> list[Answer]:
    """Send these to one sink, one after the other; one that is down is asked only once.

    Args:
        sink: the sink; None if this process has none of that name.
        name: its name.
        messages: in the order in which they are to arrive.
    """
    if sink is None:
        unknown = "this worker's settings name no such sink"
        return [Answer(message.id, "failed", unknown) for message in messages]
    answers: list[Answer] = []
    enough = time.monotonic() + PATIENCE
    obstacle = ""
    for message in messages:
        if obstacle or time.monotonic() > enough:
            answers.append(Answer(message.id, "untried", obstacle or "the sink is slow"))
            continue
        answer, obstacle = await _send(sink, message)
        answers.append(answer)
        if answer.state == "failed":
            log.warning("alert.delivery_failed", sink=name, answer=answer.answer, **_facts(message))
        else:
            log.debug("alert.delivered", sink=name, answer=answer.answer, **_facts(message))
    return answers


async def _send(sink: Sink, message: AlertMessage) -> tuple[Answer, str]:
    try:
        return Answer(message.id, "delivered", await sink.send(message)), ""
    except SinkDown as down:
        return Answer(message.id, "failed", down.problem), down.problem
    except SinkRefused as refused:
        return Answer(message.id, "failed", refused.problem), ""
    except Exception as error:  # noqa: BLE001  a sink that is broken must not stop the others
        return Answer(message.id, "failed", presentable(f"{type(error).__name__}: {error}")), ""


def _facts(message: AlertMessage) -> dict[str, str]:
    return {"message_id": message.id, "fingerprint": message.fingerprint}
