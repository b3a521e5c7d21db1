"""queue_worker.enqueue(): for psql and for other languages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry, every
from queue_worker.queue.fleet import publish_jobs
from queue_worker.session import Session

registry = JobRegistry()
Enqueue = Callable[..., Any]


class Content(BaseModel):
    content_id: str = "c0"


@registry.job(
    "content.regenerate", args=Content, timeout=timedelta(minutes=1), priority=3, queue="content"
)
async def regenerate(ctx: JobContext, args: Content) -> None: ...


@registry.job("reports.daily", timeout=timedelta(minutes=1), schedule=every(days=1))
async def daily(ctx: JobContext) -> None: ...


@pytest.fixture
async def published(database: str) -> None:
    session = Session(database, name="test", connect_timeout=5)
    await publish_jobs(session, registry)
    await session.aclose()


@pytest.fixture
def enqueue(published: None, connection: psycopg.Connection[Any]) -> Enqueue:
    def enqueue(job: str, **arguments: str) -> Any:
        """`arguments` are SQL."""
        given = "".join(f", {name} => {value}" for name, value in arguments.items())
        row = connection.execute(
            f"SELECT queue_worker.enqueue(%s{given})",
            [job],
        ).fetchone()
        assert row
        return row[0]

    return enqueue


def queued(connection: psycopg.Connection[Any], columns: str) -> list[Any]:
    return connection.execute(f"SELECT {columns} FROM procrastinate_jobs ORDER BY id").fetchall()


def test_a_job_is_written_as_the_fleet_knows_it(enqueue: Enqueue, connection: Any) -> None:
    first = enqueue("content.regenerate", args="""'{"content_id": "c1"}'""")
    second = enqueue("reports.daily")
    assert queued(
        connection, "id, task_name, queue_name, priority, lock, queueing_lock, args, status::text, scheduled_at"
    ) == [
        (first, "content.regenerate", "content", 3, None, None, {"content_id": "c1"}, "todo", None),
        (second, "reports.daily", "default", 0, "reports.daily", None, {}, "todo", None),
    ]  # fmt: skip


def test_each_part_can_be_overridden(enqueue: Enqueue, connection: Any) -> None:
    enqueue("reports.daily", priority="9", lock_key="'L'", queueing_lock="'Q'")
    assert queued(connection, "priority, lock, queueing_lock") == [(9, "L", "Q")]


def test_a_delay_counts_from_now(enqueue: Enqueue, connection: Any) -> None:
    enqueue("reports.daily", delay="'90 minutes'")
    assert queued(
        connection,
        "date_trunc('second', scheduled_at - queue_worker_enqueued_at + interval '0.5 s')",
    ) == [(timedelta(minutes=90),)]


def test_it_is_audited_without_its_arguments(enqueue: Enqueue, connection: Any) -> None:
    queue_job_id = enqueue(
        "content.regenerate", args="""'{"content_id": "private"}'""", reason="'asked for by ada'"
    )
    rows = connection.execute(
        "SELECT actor = session_user, action, subject, reason, details FROM queue_worker.audit_log"
    )
    assert rows.fetchall()[-1] == (
        True, "job.enqueued", f"queue_job:{queue_job_id}", "asked for by ada", {"job": "content.regenerate"},
    )  # fmt: skip


@pytest.mark.fault("F29", "F30")
@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        (("nothing", {}), "Unknown job 'nothing'", "lists the jobs"),
        (("o'clock\n", {}), "Unknown job 'o''clock\n'", "lists the jobs"),
        (("reports.daily", {"args": "'[1]'"}), "Arguments of job 'reports.daily' are not a JSON object", "Give an object"),
        (("reports.daily", {"args": "'null'"}), "Arguments of job 'reports.daily' are not a JSON object", "Give an object"),
        (("reports.daily", {"args": "NULL"}), "Arguments of job 'reports.daily' are not a JSON object", "Give an object"),
        (("reports.daily", {"args": "jsonb_build_object('a', repeat('x', 1000000))"}),
         "Arguments of job 'reports.daily' are larger than 1,000,000 bytes", "Store the data"),
        (("reports.daily", {"lock_key": "''"}), "A lock of job 'reports.daily' is not 1 to 512 bytes long", "shorter key"),
        (("reports.daily", {"lock_key": "repeat('x', 513)"}), "A lock of job 'reports.daily' is not 1 to 512 bytes long", "shorter"),
        (("reports.daily", {"queueing_lock": "repeat('x', 513)"}), "A lock of job 'reports.daily' is not 1 to 512 bytes", "shorter"),
        (("reports.daily", {"reason": "' '"}), "An audited action needs the name of a person and a reason", "Say who"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error_and_nothing_is_written(
    enqueue: Enqueue, connection: Any, call: tuple[str, dict[str, str]], message: str, hint: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        enqueue(call[0], **call[1])
    assert message in str(caught.value.diag.message_primary)
    assert hint in str(caught.value.diag.message_hint)
    assert queued(connection, "id") == []


@pytest.mark.fault("F28")
def test_a_nul_character_never_reaches_the_queue(enqueue: Enqueue, connection: Any) -> None:
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        enqueue("reports.daily", args=r"""'{"a": "\u0000"}'""")
    assert queued(connection, "id") == []


def test_a_duplicate_is_a_notice_and_the_job_that_waits(enqueue: Enqueue, connection: Any) -> None:
    notices: list[str] = []
    connection.add_notice_handler(lambda found: notices.append(str(found.message_primary)))
    first = enqueue("reports.daily", queueing_lock="'Q'")
    assert enqueue("reports.daily", queueing_lock="'Q'") == first
    assert notices == [f"Not enqueued: job {first} of the same queueing lock still waits"]
    assert len(queued(connection, "id")) == 1
    audited = connection.execute(
        "SELECT count(*) FROM queue_worker.audit_log WHERE action = 'job.enqueued'"
    )
    assert audited.fetchone() == (1,)


def test_it_works_whatever_the_search_path_is(enqueue: Enqueue, connection: Any) -> None:
    connection.execute("SET search_path = pg_catalog")
    assert enqueue("reports.daily")
    connection.execute("RESET search_path")
    assert len(queued(connection, "id")) == 1


def test_it_is_gone_after_a_rollback(enqueue: Enqueue, connection: Any) -> None:
    with connection.transaction(force_rollback=True):
        enqueue("reports.daily")
    assert queued(connection, "id") == []
