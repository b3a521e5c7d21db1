"""Two installations in one database, under two names: neither disturbs the other."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.support.eventually import eventually
from tests.support.jobs import GATE
from tests.support.postgres import execute
from tests.support.processes import WorkerProcess, call, environment, worker_process
from tests.support.roles import PREFIX


@dataclass
class Installation:
    """One of them: its name, and what its processes are told."""

    name: str
    env: dict[str, str]
    connection: psycopg.Connection[Any]

    def enqueue(self) -> int:
        args = json.dumps({"name": self.name})
        answer = self.connection.execute(
            f"SELECT {self.name}.enqueue('waits_in_sql', args => %s)", (args,)
        )
        return int(answer.fetchall()[0][0])

    @property
    def runs(self) -> list[tuple[str, str]]:
        return self.connection.execute(
            f"SELECT run_id, outcome::text FROM {self.name}.run ORDER BY finished_at"
        ).fetchall()


@pytest.fixture
def two(empty_database: str, template: str, tmp_path: Path) -> Iterator[list[Installation]]:
    (tmp_path / "notes").touch()
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(empty_database, autocommit=True))
        made = []
        for name in ("first", "second"):
            execute(empty_database, f"CREATE SCHEMA queue_of_{name}")
            options = f"-csearch_path=queue_of_{name} -cqueue_worker.role_prefix={PREFIX}"
            env = environment(
                make_conninfo(empty_database, options=options),
                QUEUE_WORKER_SCHEMA=name,
                QUEUE_WORKER_CONTENT_SCHEMA=f"{name}_content",
                TEST_NOTES=str(tmp_path / "notes"),
            )
            done = call(env, "migrate", "--roles")
            assert done.returncode == 0, done.stderr
            made.append(Installation(name, env, connection))
        yield made


def test_the_death_of_a_worker_is_nothing_to_the_other_installation(
    two: list[Installation], tmp_path: Path
) -> None:
    """Both run the same job, with the same run id, lock key and number of the worker."""
    first, second = two
    with ExitStack() as stack:
        doomed, bystander = (stack.enter_context(worker_process(own.env)) for own in two)
        first.connection.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        assert first.enqueue() == second.enqueue()
        eventually(lambda: _started(tmp_path) == {"first", "second"})
        doomed.stop(signal.SIGKILL)
        rescuer = stack.enter_context(worker_process(first.env))
        eventually(lambda: first.runs == [("1.1", "lost")], within=60)
        assert second.runs == []
        first.connection.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
        eventually(lambda: second.runs == [("1.1", "succeeded")])
        assert _stopped(rescuer, bystander) == [0, 0]
    assert [call(own.env, "check").returncode for own in two] == [0, 0]


def _started(folder: Path) -> set[str]:
    lines = (folder / "notes").read_text().splitlines()
    return {line.split()[1] for line in lines if line.startswith("start ")}


def _stopped(*workers: WorkerProcess) -> list[int]:
    return [worker.stop() for worker in workers]
