"""docs/JOBS.md: each job is run by hand as the page says, and each decision is taken."""

from __future__ import annotations

import shlex
from typing import Any

from tests.cli.conftest import Command
from tests.support.blocks import read_blocks
from tests.support.content import add_request, add_suggestion
from tests.support.jobs_page import documented_jobs
from tests.support.processes import REPOSITORY, environment, worker_process

PAGE = REPOSITORY / "docs" / "JOBS.md"
FIRST_PARTY = {"QUEUE_WORKER_APP": "queue_worker.jobs:registry"}


def test_every_job_is_run_by_hand(command: Command, database: str, connection: Any) -> None:
    lines = [line for block in read_blocks(PAGE, "sh") for line in block.lines]
    with worker_process(environment(database, **FIRST_PARTY)) as worker:
        for line in lines:
            program, *arguments = shlex.split(line)
            assert program == "queue-worker"
            answer = command(*arguments, DATABASE_URL=database, **FIRST_PARTY)
            assert answer.code == 0, (line, answer)
        assert worker.stop() == 0
    rows = connection.execute("SELECT DISTINCT job, outcome FROM queue_worker.runs").fetchall()
    assert set(rows) == {(job.name, "succeeded") for job in documented_jobs()}


def test_every_statement_does_something(connection: Any) -> None:
    add_suggestion(connection, "c1")
    add_suggestion(connection, "c2")
    add_request(connection, "c3")
    connection.execute(
        "UPDATE content_pipeline.regeneration_request SET state = 'failed', finished_at = now(),"
        " error_class = 'E', error_message = 'm' WHERE request_id = 1"
    )
    connection.execute(
        "INSERT INTO content_pipeline.regeneration_output (request_id, content_id, body, generator)"
        " VALUES (1, 'c3', 'text', 'm:g')"
    )
    connection.execute(
        "INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,"
        " enqueued_by, started_at, finished_at)"
        " VALUES (1, 1, 'a', 'succeeded', 'default', now(), 'ada', now(), now())"
    )
    for block in read_blocks(PAGE, "sql"):
        for statement in block.statements:
            assert connection.execute(statement).fetchall(), statement
