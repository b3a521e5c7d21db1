-- Queue rows and ledger in one statement. The fence: a row that is no longer this worker's, in
-- this attempt, is not touched; its run was lost, and the ledger says so. A statement that is sent
-- again because its answer got lost finds its own rows in the ledger and changes nothing.
WITH ended AS (
    SELECT *
    FROM unnest(
        %(queue_job_id)s::bigint[],
        %(attempt)s::integer[],
        %(job)s::text[],
        %(queue)s::text[],
        %(lock_key)s::text[],
        %(due_at)s::timestamptz[],
        %(enqueued_at)s::timestamptz[],
        %(enqueued_by)s::text[],
        %(started_at)s::timestamptz[],
        %(finished_at)s::timestamptz[],
        %(outcome)s::queue_worker.outcome[],
        %(status)s::procrastinate_job_status[],
        %(error_class)s::text[],
        %(error_message)s::text[],
        %(traceback)s::text[],
        %(retry_wait)s::double precision[]
    ) AS e (
        queue_job_id, attempt, job, queue, lock_key, due_at, enqueued_at, enqueued_by,
        started_at, finished_at, outcome, status, error_class, error_message, traceback, retry_wait
    )
), closed AS (
    UPDATE procrastinate_jobs AS claimed
    SET status = CASE
            WHEN ended.status = 'todo' AND EXISTS (
                SELECT FROM procrastinate_jobs AS twin
                WHERE twin.queueing_lock = claimed.queueing_lock AND twin.status = 'todo'
            ) THEN 'failed'  -- the job that waits already does the work
            ELSE ended.status
        END,
        attempts = ended.attempt,
        abort_requested = false,
        worker_id = NULL,
        scheduled_at = CASE
            WHEN ended.status = 'todo' THEN clock_timestamp() + make_interval(secs => ended.retry_wait)
            ELSE claimed.scheduled_at
        END
    FROM ended
    WHERE claimed.id = ended.queue_job_id
        AND claimed.status = 'doing'
        AND claimed.worker_id = %(worker_id)s
        AND claimed.attempts = ended.attempt - 1
    RETURNING claimed.id, claimed.status, claimed.scheduled_at
), written AS (
    INSERT INTO queue_worker.run (
        queue_job_id, attempt, job, queue, lock_key, due_at, enqueued_at, enqueued_by, worker_id,
        started_at, finished_at, outcome, error_class, error_message, traceback, retry_at
    )
    SELECT
        ended.queue_job_id, ended.attempt, ended.job, ended.queue, ended.lock_key, ended.due_at,
        ended.enqueued_at, ended.enqueued_by, %(worker_id)s,
        least(ended.started_at, ended.finished_at, clock_timestamp()),
        least(ended.finished_at, clock_timestamp()),
        CASE WHEN closed.id IS NULL THEN 'lost' ELSE ended.outcome END,
        CASE WHEN closed.id IS NULL THEN 'ClaimLost' ELSE ended.error_class END,
        CASE WHEN closed.id IS NULL
            THEN 'ended ' || ended.outcome || ', but its claim was gone: nothing it reported was kept'
            ELSE ended.error_message
        END,
        CASE WHEN closed.id IS NULL THEN NULL ELSE ended.traceback END,
        CASE WHEN closed.status = 'todo' THEN closed.scheduled_at END
    FROM ended
    LEFT JOIN closed ON closed.id = ended.queue_job_id
    ON CONFLICT (queue_job_id, attempt) DO NOTHING
), refused AS (
    SELECT ended.queue_job_id, ended.attempt, ended.outcome
    FROM ended
    LEFT JOIN closed ON closed.id = ended.queue_job_id
    WHERE closed.id IS NULL
        AND NOT EXISTS (
            SELECT FROM queue_worker.run AS before
            WHERE before.queue_job_id = ended.queue_job_id
                AND before.attempt = ended.attempt
                AND before.worker_id = %(worker_id)s
                AND before.outcome = ended.outcome
        )
), audited AS (
    INSERT INTO queue_worker.audit_log (actor, action, subject, reason)
    SELECT
        'worker:' || %(worker_id)s::bigint, 'close.refused',
        'run:' || refused.queue_job_id || '.' || refused.attempt,
        'it ended ' || refused.outcome || ', but its claim was gone'
    FROM refused
)
SELECT queue_job_id, attempt
FROM refused
