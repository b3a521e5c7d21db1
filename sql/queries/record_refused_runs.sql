-- Runs whose claim was gone when they were to be closed: the ledger says that they were lost, unless
-- somebody has recorded them before. A close that was sent again because its answer got lost finds
-- its own rows there, and nothing was refused. Returns those that were.
WITH refused AS (
    SELECT ended.*
    FROM unnest(
        %(queue_job_id)s::bigint[],
        %(attempt)s::integer[],
        %(outcome)s::queue_worker.outcome[],
        %(job)s::text[],
        %(queue)s::text[],
        %(lock_key)s::text[],
        %(due_at)s::timestamptz[],
        %(enqueued_at)s::timestamptz[],
        %(started_at)s::timestamptz[],
        %(finished_at)s::timestamptz[]
    ) AS ended (
        queue_job_id, attempt, outcome, job, queue, lock_key, due_at, enqueued_at, started_at, finished_at
    )
    WHERE NOT EXISTS (
        SELECT FROM queue_worker.run AS before
        WHERE before.queue_job_id = ended.queue_job_id
            AND before.attempt = ended.attempt
            AND before.worker_id = %(worker_id)s
            AND before.outcome = ended.outcome
    )
), written AS (
    INSERT INTO queue_worker.run (
        queue_job_id, attempt, job, outcome, queue, lock_key, due_at, enqueued_at, enqueued_by, worker_id,
        started_at, finished_at, error_class, error_message
    )
    SELECT
        refused.queue_job_id, refused.attempt, refused.job, 'lost', refused.queue, refused.lock_key,
        refused.due_at, refused.enqueued_at,
        coalesce(queued.queue_worker_enqueued_by, 'unknown'), %(worker_id)s,
        least(refused.started_at, refused.finished_at, clock_timestamp()),
        least(refused.finished_at, clock_timestamp()),
        'ClaimLost',
        'ended ' || refused.outcome || ', but its claim was gone: nothing it reported was kept'
    FROM refused
    LEFT JOIN procrastinate_jobs AS queued ON queued.id = refused.queue_job_id
    ON CONFLICT (queue_job_id, attempt) DO NOTHING
), audited AS (
    INSERT INTO queue_worker.audit_log (actor, action, subject, reason)
    SELECT
        'worker:' || %(worker_id)s::bigint, 'close.refused',
        'run:' || refused.queue_job_id || '.' || refused.attempt,
        'it ended ' || refused.outcome || ', but its claim was gone'
    FROM refused
    WHERE NOT EXISTS (  -- sent again, it says so once
        SELECT FROM queue_worker.audit_log AS said
        WHERE said.subject = 'run:' || refused.queue_job_id || '.' || refused.attempt
            AND said.action = 'close.refused'
    )
)
SELECT queue_job_id, attempt
FROM refused
