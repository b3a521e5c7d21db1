"""The job retention in a real worker: scheduled by a setting, within its bounds."""

from __future__ import annotations

from queue_worker.settings import Settings
from tests.support.processes import environment, worker_process
from tests.support.retention import Connection, add_counted, midnight, moments, view


def test_a_worker_prunes_when_the_schedule_says_so(
    connection: Connection, settings: Settings, database: str
) -> None:
    add_counted(connection, settings, [view(midnight(100)), view(midnight(1))])
    with worker_process(environment(database, RETENTION_SCHEDULE="* * * * * *")) as worker:
        worker.wait_for("job.succeeded", job="retention", within=60)
        published = connection.execute("SELECT count(*) FROM queue_worker.retention_policy")
        assert published.fetchone() == (10,)
        worker.stop()
    assert moments(connection) == [midnight(1)]
    plan = connection.execute(
        "SELECT actor, subject FROM queue_worker.audit_log WHERE action = 'retention.applied'"
    ).fetchone()
    assert plan is not None
    assert plan[0].startswith("run:")
