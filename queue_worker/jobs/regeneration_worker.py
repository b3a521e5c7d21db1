"""regeneration_worker: asks the configured generator for what approved suggestions need."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition
from queue_worker.errors import ContentError
from queue_worker.jobs.generator import GenerationRequest, checked_text, load_generator
from queue_worker.schedules import every
from queue_worker.schemas import schema_names
from queue_worker.statements import statement

MESSAGE_CHARACTERS = 500

Connection = psycopg.Connection[tuple[Any, ...]]


def regenerate_contents(ctx: JobContext) -> None:
    """Ask the generator for every waiting request, and store each answer for good.

    Each request is committed by itself, and no transaction is open while the generator works. A
    run that was killed leaves its request waiting, so it is asked again and answered once.

    Raises:
        GeneratorMissing: requests wait, but no generator is configured.
        ContentError: the generator cannot be loaded; or it failed for some requests, which then
            need an approved retry, while all others are done.
    """
    with ctx.sync_connection() as connection:
        requests = _read_waiting(connection)
        if not requests:
            return
        reference = ctx.settings.content_generator
        generator = load_generator(reference)
        failed = 0
        for request in requests:
            try:
                body = checked_text(generator(request))
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever foreign code raises
                _fail(connection, request, error)
                failed += 1
            else:
                _store(connection, request, body, reference)
    ctx.log.info("requests.carried_out", done=len(requests) - failed, failed=failed)
    if failed:
        where = schema_names().content
        raise ContentError(
            f"The generator failed for {failed} of {len(requests)} requests. Read error_message "
            f"in {where}.regeneration_request; once the cause is removed, call "
            f"{where}.approve_retry(request_id, actor, reason)."
        )


def _read_waiting(connection: Connection) -> list[GenerationRequest]:
    with connection.transaction(), connection.cursor(row_factory=class_row(GenerationRequest)) as c:
        return c.execute(statement("content_read_waiting_requests")).fetchall()


def _store(
    connection: Connection, request: GenerationRequest, body: str, reference: str | None
) -> None:
    with connection.transaction():
        connection.execute(
            statement("content_store_output"),
            {
                "request_id": request.request_id,
                "content_id": request.content_id,
                "body": body,
                "generator": reference,
            },
        )


def _fail(connection: Connection, request: GenerationRequest, error: BaseException) -> None:
    with connection.transaction():
        connection.execute(
            statement("content_fail_request"),
            {
                "request_id": request.request_id,
                "error_class": type(error).__name__,
                "error_message": _short_message(error),
            },
        )


def _short_message(error: BaseException) -> str:
    """The message of whatever was raised, as text that Postgres can store."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  whatever a foreign __str__ does
        message = "(its message cannot be read)"
    storable = message[:MESSAGE_CHARACTERS].encode(errors="backslashreplace").decode()
    return storable.replace("\0", "\\0")


job: JobDefinition[None] = JobDefinition(
    name="regeneration_worker",
    function=regenerate_contents,
    timeout=timedelta(minutes=30),
    schedule=every(minutes=10),
    owner="content-platform",
    runbook="docs/JOBS.md#regeneration_worker",
)
