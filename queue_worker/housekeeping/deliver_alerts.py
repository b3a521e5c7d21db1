"""queue_worker.deliver_alerts: takes the messages that are due to their sinks.

The workers enqueue it whenever something is due. It has no alert of its own: that would be one more
message for a sink that takes none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from psycopg.rows import dict_row

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.observability.alerts.delivery import Answer, send_all
from queue_worker.observability.alerts.message import AlertMessage
from queue_worker.observability.alerts.sink import Sink
from queue_worker.statements import statement

MOST_MESSAGES = 200  # of one run; the next one follows within a second
MOST_TRIES = 20  # then a message is given up for that sink: after about an hour
FIRST_WAIT = 2.0  # seconds before the second try; doubled each time
LONGEST_WAIT = 300.0


async def deliver_alerts(ctx: JobContext) -> None:
    """Deliver the alerts that are due, to every sink."""
    from queue_worker.observability.alerts.addresses import (  # noqa: PLC0415  loads HTTP and mail
        open_sinks,
    )

    sinks = open_sinks(ctx.settings)
    due = await _take(ctx)
    async with asyncio.TaskGroup() as group:
        for name, rows in groupby(due, key=itemgetter("sink")):
            messages = [_as_message(row) for row in rows]
            group.create_task(_deliver(ctx, sinks.get(name), name, messages))


async def _take(ctx: JobContext) -> list[dict[str, Any]]:
    async with ctx.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            statement("take_alert_deliveries"),
            {"limit": MOST_MESSAGES, "first_wait": FIRST_WAIT, "longest_wait": LONGEST_WAIT},
        )
        return await cursor.fetchall()


def _as_message(row: dict[str, Any]) -> AlertMessage:
    return AlertMessage(**{name: value for name, value in row.items() if name != "sink"})


async def _deliver(
    ctx: JobContext, sink: Sink | None, name: str, messages: Sequence[AlertMessage]
) -> None:
    answers = await send_all(sink, name, messages)
    for message_id, fingerprint in await _record(ctx, name, answers):
        ctx.log.error("alert.given_up", sink=name, message_id=message_id, fingerprint=fingerprint)


async def _record(ctx: JobContext, name: str, answers: Sequence[Answer]) -> list[tuple[Any, ...]]:
    async with ctx.connection() as connection:
        cursor = await connection.execute(
            statement("record_alert_deliveries"),
            {
                "sink": name,
                "ids": [answer.message_id for answer in answers],
                "states": [answer.state for answer in answers],
                "answers": [answer.answer for answer in answers],
                "most_tries": MOST_TRIES,
            },
        )
        return await cursor.fetchall()


job: JobDefinition[None] = JobDefinition(
    name="queue_worker.deliver_alerts",
    function=deliver_alerts,
    timeout=timedelta(minutes=1),
    queue="queue_worker",
    priority=100,
    lock="queue_worker.deliver_alerts",
    restartable=True,
    owner="queue_worker",
    runbook="docs/ALERTS.md#what-is-not-delivered",
)
