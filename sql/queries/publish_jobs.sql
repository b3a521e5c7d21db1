INSERT INTO queue_worker.job AS known (
    name, description, schedule, queue, priority, lock_key, timeout, max_attempts, restartable,
    args_schema, owner, runbook, registry_digest
)
SELECT
    j.name, j.description, j.schedule, j.queue, j.priority, j.lock_key,
    make_interval(secs => j.timeout), j.max_attempts, j.restartable, j.args_schema, j.owner, j.runbook,
    %(registry_digest)s
FROM jsonb_to_recordset(%(jobs)s) AS j (
    name text, description text, schedule text, queue text, priority integer, lock_key text,
    timeout double precision, max_attempts integer, restartable boolean, args_schema jsonb, owner text, runbook text
)
ORDER BY j.name
ON CONFLICT (name) DO UPDATE
SET description = excluded.description,
    schedule = excluded.schedule,
    schedule_since = CASE WHEN known.schedule = excluded.schedule THEN known.schedule_since
                          ELSE clock_timestamp() END,
    next_due_at = CASE WHEN known.schedule = excluded.schedule THEN known.next_due_at END,
    queue = excluded.queue,
    priority = excluded.priority,
    lock_key = excluded.lock_key,
    timeout = excluded.timeout,
    max_attempts = excluded.max_attempts,
    restartable = excluded.restartable,
    args_schema = excluded.args_schema,
    owner = excluded.owner,
    runbook = excluded.runbook,
    registry_digest = excluded.registry_digest,
    last_seen_at = clock_timestamp(),
    retired_at = NULL
RETURNING known.name, known.schedule_since
