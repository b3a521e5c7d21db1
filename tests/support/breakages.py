"""For each check: what breaks just that thing, what the check says then, and how it is put right."""

from __future__ import annotations

from dataclasses import dataclass, field

from queue_worker.governance.checks import CHECKS, Check, Moment
from tests.support.roles import role

_EDITED = """
    CREATE OR REPLACE FUNCTION queue_worker.assert_fence(lock_key text, token text) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$ BEGIN END $$
"""
_GHOST = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, queue_worker_enqueued_at)
    VALUES ('default', 'ghost', now() - interval '1 hour')
"""
_ORPHAN = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, status, queue_worker_claimed_at)
    VALUES ('default', 'orphan', 'doing', now() - interval '1 hour')
"""
_UNRECORDED = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, status, queue_worker_claimed_at)
    VALUES ('default', 'unrecorded', 'succeeded', now() - interval '1 hour')
"""
_CLAIMED_TWICE = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, status, lock, queue_worker_claimed_at)
    SELECT 'default', 'twice', 'doing', 'the-key', now() FROM generate_series(1, 2)
"""
_PARTITION = """
    DO $$ BEGIN EXECUTE format('DROP TABLE content_pipeline.%I',
        to_char(now() AT TIME ZONE 'UTC' + interval '1 day', '"analytics_event_"YYYY_MM')); END $$
"""
_KEPT_AGAIN = """
    CREATE TRIGGER content_suggestion_kept
    BEFORE DELETE OR TRUNCATE ON content_pipeline.content_suggestion
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change()
"""
_LOCK_INDEX = "DROP INDEX procrastinate_jobs_lock_idx_v1"
_LOCK_INDEX_AGAIN = "CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON procrastinate_jobs (lock) WHERE status = 'doing' AND lock IS NOT NULL"


@dataclass(frozen=True)
class Breakage:
    """One thing that is wrong.

    Attributes:
        says: what the message of the check holds.
        environment: variables under which it is wrong.
    """

    check: str
    says: str
    breaks: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        return 78 if self._declared.severity == "fatal" else 0

    @property
    def is_scheduled(self) -> bool:
        return Moment.SCHEDULED in self._declared.moments

    @property
    def _declared(self) -> Check:
        return next(check for check in CHECKS if check.name == self.check)


BREAKAGES = [
    Breakage(
        "setting_names", "did you mean QUEUE_WORKER_CONCURRENCY?",
        environment={"QUEUE_WORKER_CONCURENCY": "3"},
    ),
    Breakage(
        "connections", "Raise max_connections", environment={"QUEUE_WORKER_CLIENT_POOL_SIZE": "1000"}
    ),
    Breakage(
        "migrations", "Run `queue-worker migrate`",
        ("UPDATE queue_worker.migration SET checksum = 'x' || checksum WHERE name = 'views/running.sql'",),
        ("UPDATE queue_worker.migration SET checksum = substr(checksum, 2) WHERE name = 'views/running.sql'",),
    ),
    Breakage("functions", "queue_worker.assert_fence(text,text) differ", (_EDITED,)),
    Breakage(
        "guards", "Nothing refuses to remove rows of queue_worker.run (TRUNCATE)",
        ("ALTER TABLE queue_worker.run DISABLE TRIGGER run_append_only",),
        ("ALTER TABLE queue_worker.run ENABLE ALWAYS TRIGGER run_append_only",),
    ),
    Breakage(
        "guards", "set it right: ALTER TABLE queue_worker.run ENABLE ALWAYS TRIGGER run_kept",
        ("ALTER TABLE queue_worker.run ENABLE TRIGGER run_kept",),  # a replica's session skips it
        ("ALTER TABLE queue_worker.run ENABLE ALWAYS TRIGGER run_kept",),
    ),
    Breakage(
        "guards", "Nothing refuses to remove rows of queue_worker.audit_log (DELETE), queue_worker.audit_log (TRUNCATE)",
        ("ALTER TABLE queue_worker.audit_log DISABLE TRIGGER audit_log_append_only",),
        ("ALTER TABLE queue_worker.audit_log ENABLE ALWAYS TRIGGER audit_log_append_only",),
    ),
    Breakage(
        "guards", "restore the trigger of content_pipeline.content_suggestion from its migration, it is gone",
        ("DROP TRIGGER content_suggestion_kept ON content_pipeline.content_suggestion",),
        (
            _KEPT_AGAIN,
            "ALTER TABLE content_pipeline.content_suggestion ENABLE ALWAYS TRIGGER content_suggestion_kept",
        ),
    ),
    Breakage(
        "triggers", "queue_worker_record_inserted on procrastinate_jobs",
        ("ALTER TABLE procrastinate_jobs DISABLE TRIGGER queue_worker_record_inserted",),
        ("ALTER TABLE procrastinate_jobs ENABLE TRIGGER queue_worker_record_inserted",),
    ),
    Breakage(
        "triggers", "ALTER TABLE procrastinate_workers ENABLE TRIGGER queue_worker_forget_worker",
        ("ALTER TABLE procrastinate_workers DISABLE TRIGGER queue_worker_forget_worker",),
        ("ALTER TABLE procrastinate_workers ENABLE TRIGGER queue_worker_forget_worker",),
    ),
    Breakage(
        "triggers", "the wrong way: procrastinate_jobs_notify_queue_job_inserted_v1 on procrastinate_jobs",
        ("ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER",),
        (
            "ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1",
            "ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_status_events_insert_v1",
            "ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_status_events_update_v1",
        ),
    ),
    Breakage(
        "partitions", "No partition for tomorrow: content_pipeline.analytics_event", (_PARTITION,),
        ("SELECT content_pipeline.make_event_partitions((now() AT TIME ZONE 'UTC' + interval '1 day')::date, 1)",),
    ),
    Breakage(
        "privileges", "lacks 1 rights of a worker: SELECT on queue_worker.role",
        (f"REVOKE SELECT ON queue_worker.role FROM {role('worker')}",),
        (f"GRANT SELECT ON queue_worker.role TO {role('worker')}",),
    ),
    Breakage(
        "surplus_privileges", "this role may delete rows of queue_worker.audit_log",
        (f"GRANT DELETE ON queue_worker.audit_log TO {role('worker')}",),
    ),
    Breakage(
        "surplus_privileges", "this role may update rows of queue_worker.run",
        (f"GRANT UPDATE ON queue_worker.run TO {role('worker')}",),
    ),
    Breakage("jobs_without_handler", "'ghost' (1 waiting)", (_GHOST,), ("DELETE FROM procrastinate_jobs WHERE task_name = 'ghost'",)),
    Breakage(
        "lock_keys", "'the-key' by job ", (_LOCK_INDEX, _CLAIMED_TWICE),
        ("DELETE FROM procrastinate_jobs WHERE task_name = 'twice'", _LOCK_INDEX_AGAIN),
    ),
    Breakage("lock_keys", "The unique index of claimed lock keys is gone", (_LOCK_INDEX,), (_LOCK_INDEX_AGAIN,)),
    Breakage("open_runs", "1 runs are open without a living worker", (_ORPHAN,), ("DELETE FROM procrastinate_jobs WHERE task_name = 'orphan'",)),
    Breakage("ledger", "have finished without a run in the ledger", (_UNRECORDED,), ("DELETE FROM procrastinate_jobs WHERE task_name = 'unrecorded'",)),
]  # fmt: skip
