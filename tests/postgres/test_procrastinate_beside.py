"""Procrastinate's own app, workers and command line go on working on a migrated database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import procrastinate
import pytest
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Status
from pydantic import BaseModel

from queue_worker import JobContext, JobRegistry, Settings, every
from queue_worker.queue.app import build_app

done: list[Any] = []
registry = JobRegistry()


class Content(BaseModel):
    content_id: str


@registry.job(
    "content.regenerate", args=Content, timeout=timedelta(minutes=1), priority=3, queue="content"
)
async def regenerate(ctx: JobContext, args: Content) -> None: ...


@registry.job("reports.daily", timeout=timedelta(minutes=1), schedule=every(days=1))
async def daily(ctx: JobContext) -> None: ...


async def note(number: int) -> None:
    done.append(number)


def note_plainly(number: int) -> None:
    done.append(-number)


async def fail() -> None:
    raise ZeroDivisionError


def app_of(connector: procrastinate.BaseConnector) -> procrastinate.App:
    app = procrastinate.App(connector=connector)
    app.task(name="note", queue="theirs")(note)
    app.task(name="note_plainly", queue="theirs", lock="L", queueing_lock="Q")(note_plainly)
    app.task(name="fail", queue="theirs", retry=1)(fail)
    return app


@pytest.fixture
async def app(database: str) -> AsyncIterator[procrastinate.App]:
    done.clear()
    app = app_of(procrastinate.PsycopgConnector(conninfo=database))
    async with app.open_async():
        yield app


@pytest.fixture
async def ours(settings: Settings) -> AsyncIterator[procrastinate.App]:
    app = build_app(registry, settings)
    async with app.open_async():
        yield app


async def work(app: procrastinate.App, **options: Any) -> None:
    await app.run_worker_async(wait=False, install_signal_handlers=False, **options)


# Their jobs --------------------------------------------------------------------------------------


async def test_its_async_app_defers_lists_and_runs(app: procrastinate.App) -> None:
    await app.tasks["note"].defer_async(number=1)
    await app.tasks["note_plainly"].defer_async(number=2)
    jobs = list(await app.job_manager.list_jobs_async(queue="theirs"))
    assert [(job.task_name, job.task_kwargs, job.status) for job in jobs] == [
        ("note", {"number": 1}, "todo"),
        ("note_plainly", {"number": 2}, "todo"),
    ]
    await work(app)
    assert sorted(done) == [-2, 1]
    jobs = list(await app.job_manager.list_jobs_async())
    assert {job.status for job in jobs} == {"succeeded"}


async def test_its_batches_delays_and_retries_work(app: procrastinate.App) -> None:
    await app.tasks["note"].batch_defer_async({"number": 1}, {"number": 2})
    await app.tasks["note"].configure(schedule_in={"hours": 1}).defer_async(number=3)
    await app.tasks["fail"].defer_async()
    await work(app)
    assert sorted(done) == [1, 2]
    found = [(j.task_name, j.status, j.attempts) for j in await app.job_manager.list_jobs_async()]
    assert sorted(found) == [
        ("fail", "failed", 2), ("note", "succeeded", 1), ("note", "succeeded", 1), ("note", "todo", 0)
    ]  # fmt: skip


async def test_its_queueing_lock_still_raises(app: procrastinate.App) -> None:
    await app.tasks["note_plainly"].defer_async(number=1)
    with pytest.raises(AlreadyEnqueued):
        await app.tasks["note_plainly"].defer_async(number=2)


async def test_it_cancels_retries_and_deletes(app: procrastinate.App, connection: Any) -> None:
    cancelled = await app.tasks["note"].defer_async(number=1)
    assert await app.job_manager.cancel_job_by_id_async(cancelled)
    failed = await app.tasks["fail"].defer_async()
    await work(app)
    assert await app.job_manager.get_job_status_async(cancelled) is Status.CANCELLED
    assert await app.job_manager.get_job_status_async(failed) is Status.FAILED
    await app.job_manager.delete_old_jobs(nb_hours=0, include_failed=True, include_cancelled=True)
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)


def test_its_sync_app_defers(database: str, connection: Any) -> None:
    app = app_of(procrastinate.SyncPsycopgConnector(conninfo=database))
    with app.open():
        app.tasks["note"].defer(number=1)
        app.tasks["note_plainly"].defer(number=2)
        assert [job.task_name for job in app.job_manager.list_jobs()] == ["note", "note_plainly"]
    assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (2,)


def test_its_sync_worker_runs(database: str) -> None:
    done.clear()
    app = app_of(procrastinate.PsycopgConnector(conninfo=database))
    with app.open():
        app.tasks["note"].defer(number=1)
    app.run_worker(wait=False, install_signal_handlers=False)
    assert done == [1]


APP = """
import os, procrastinate

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["THEIR_DSN"])
)

@app.task(name="note", queue="theirs")
async def note(number): ...
"""


def test_its_command_line_checks_defers_and_runs(
    database: str, connection: Any, tmp_path: Path
) -> None:
    (tmp_path / "theirs.py").write_text(APP)

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "procrastinate", "--app", "theirs.app", *arguments],
            env={**os.environ, "THEIR_DSN": database}, cwd=tmp_path,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert "OK" in run("healthchecks")
    run("defer", "--queue", "theirs", "note", '{"number": 1}')
    run("worker", "--one-shot", "--queues", "theirs")
    rows = connection.execute("SELECT task_name, status::text FROM procrastinate_jobs").fetchall()
    assert rows == [("note", "succeeded")]


# Our jobs ----------------------------------------------------------------------------------------


async def test_our_app_knows_our_jobs(ours: procrastinate.App) -> None:
    assert set(registry.names) <= set(ours.tasks)
    assert not ours.periodic_registry.periodic_tasks


async def test_our_app_defers_and_lists_our_jobs(ours: procrastinate.App, connection: Any) -> None:
    await ours.tasks["content.regenerate"].defer_async(content_id="c1")
    await ours.tasks["reports.daily"].defer_async()
    with pytest.raises(AlreadyEnqueued):
        await ours.tasks["reports.daily"].defer_async()
    found = [(j.task_name, j.task_kwargs, j.lock) for j in await ours.job_manager.list_jobs_async()]
    assert found == [
        ("content.regenerate", {"content_id": "c1"}, None), ("reports.daily", {}, "reports.daily")
    ]  # fmt: skip
    rows = connection.execute(
        "SELECT queue_name, priority, lock, queueing_lock, args,"
        " queue_worker_enqueued_at IS NOT NULL, queue_worker_enqueued_by = session_user"
        " FROM procrastinate_jobs ORDER BY id"
    ).fetchall()
    assert rows == [
        ("content", 3, None, None, {"content_id": "c1"}, True, True),
        ("default", 0, "reports.daily", "reports.daily", {}, True, True),
    ]


def test_our_app_defers_from_blocking_code(settings: Settings, connection: Any) -> None:
    app = build_app(registry, settings)
    with app.open():
        app.tasks["content.regenerate"].defer(content_id="c1")
    assert connection.execute("SELECT args FROM procrastinate_jobs").fetchall() == [
        ({"content_id": "c1"},)
    ]


async def test_a_plain_worker_that_claims_our_job_fails_it_and_says_why(
    ours: procrastinate.App, caplog: pytest.LogCaptureFixture
) -> None:
    queue_job_id = await ours.tasks["content.regenerate"].defer_async(content_id="c1")
    await work(ours)
    assert await ours.job_manager.get_job_status_async(queue_job_id) is Status.FAILED
    assert "Run it with `queue-worker worker`" in caplog.text
