"""The example as an installed package: its jobs run in a worker that was told its name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker import SyncQueueClient, load_settings
from queue_worker.housekeeping import load_jobs
from tests.support.eventually import eventually
from tests.support.processes import JOBS, REPOSITORY, call, environment, worker_process


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the example installed in it."""
    folder = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", folder, REPOSITORY / "docs" / "examples" / "shop"],
        check=True, timeout=100, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return folder


def test_its_jobs_are_listed_and_run_once_it_is_named(
    site: Path, database: str, connection: psycopg.Connection[Any]
) -> None:
    env = environment(database, PYTHONPATH=str(site))
    assert "shop" not in call(env, "jobs").stdout

    env["QUEUE_WORKER_PLUGINS"] = "shop"
    listed = {job["name"]: job["source"] for job in json.loads(call(env, "jobs", "--json").stdout)}
    assert listed["shop.export_day"] == "plugin shop (shop 1.0.0)"
    assert listed["noop"] == env["QUEUE_WORKER_APP"]
    with worker_process(env) as worker:
        arguments = ["enqueue", "shop.export_day", "--args", '{"day": "2026-01-31"}']
        assert call(env, *arguments).returncode == 0
        eventually(
            lambda: connection.execute("SELECT FROM queue_worker.run").fetchone() is not None
        )
        assert worker.stop() == 0
    (row,) = connection.execute("SELECT job, outcome, error_class FROM queue_worker.run").fetchall()
    assert row == ("shop.export_day", "failed", "UndefinedTable")

    env["QUEUE_WORKER_PLUGINS"] = "shopp"
    refused = call(env, "worker")
    assert refused.returncode == 78
    assert "Did you mean 'shop'?" in refused.stderr


def test_the_validation_knows_what_the_process_runs(
    site: Path, database: str, connection: psycopg.Connection[Any]
) -> None:
    """Whoever declared a job last, a worker that lives and runs it is its handler."""
    env = environment(database, PYTHONPATH=str(site), QUEUE_WORKER_PLUGINS="shop")
    with worker_process(env):
        connection.execute("SELECT queue_worker.pause_job('shop.export_day', 'me', 'to wait')")
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, queue_worker_enqueued_at)"
            " VALUES ('default', 'shop.export_day', now() - interval '1 hour')"
        )
        with worker_process(env | {"QUEUE_WORKER_APP": "queue_worker.jobs:first_party"}) as other:
            assert other.stop() == 0
        with SyncQueueClient(load_jobs(JOBS, ()), load_settings(database_url=database)) as client:
            queue_job_id = client.enqueue("queue_worker.validation").queue_job_id
        run = "SELECT outcome::text, error_message FROM queue_worker.run WHERE queue_job_id = %s"
        ended = eventually(lambda: connection.execute(run, [queue_job_id]).fetchone())
    assert ended == ("succeeded", None)
