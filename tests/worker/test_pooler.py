"""With PgBouncer between us and the server: everything holds, or the start refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from queue_worker import EnqueueRequest, QueueClient, load_settings
from queue_worker.errors import SettingsError
from queue_worker.governance.pooler import require_direct_connection
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.pgbouncer import pgbouncer
from tests.support.processes import call, environment, worker_process


@pytest.mark.parametrize("command", [["worker"], ["run", "noop", "--inline"]])
def test_a_shared_session_is_refused_with_the_remedy(database: str, command: list[str]) -> None:
    with pgbouncer(database, "transaction") as pooled:
        refused = call(environment(pooled), *command)
    assert refused.returncode == 78
    assert "QUEUE_WORKER_DIRECT_URL is not set" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_direct_url_that_is_a_pooler_too_is_refused(database: str) -> None:
    with pgbouncer(database, "transaction") as pooled:
        settings = load_settings(database_url=database, direct_url=pooled)
        with pytest.raises(SettingsError, match="QUEUE_WORKER_DIRECT_URL goes through a pooler"):
            require_direct_connection(settings)


def test_a_pooler_that_keeps_sessions_is_accepted(database: str) -> None:
    with pgbouncer(database, "session") as pooled:
        require_direct_connection(load_settings(database_url=pooled))


async def test_with_a_direct_url_clients_use_the_pooler_and_everything_holds(
    database: str, connection: Any, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    with pgbouncer(database, "transaction") as pooled:
        env = environment(pooled, QUEUE_WORKER_DIRECT_URL=database, TEST_NOTES=str(notes))
        settings = load_settings(database_url=pooled, direct_url=database)
        with worker_process(env) as worker:
            async with QueueClient(without_ticker, settings) as queue:
                for _ in range(20):  # often enough for psycopg to prepare the statement
                    await queue.enqueue("locked")
                await queue.enqueue_many(
                    [EnqueueRequest(job="async_sql"), EnqueueRequest(job="plain_sql")]
                )
            eventually(
                lambda: (
                    connection.execute("SELECT count(*) FROM queue_worker.run").fetchone() == (22,)
                )
            )
            assert worker.stop() == 0
    outcomes = connection.execute("SELECT DISTINCT outcome FROM queue_worker.run").fetchall()
    assert outcomes == [("succeeded",)]
