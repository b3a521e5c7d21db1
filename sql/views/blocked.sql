DROP VIEW IF EXISTS queue_worker.blocked;

-- What is due is put in the order of its lock key once, so a long line costs a sort and no more.
CREATE VIEW queue_worker.blocked AS
SELECT
    waiting.task_name AS job,
    waiting.id AS queue_job_id,
    waiting.lock AS lock_key,
    coalesce(holder.task_name, waiting.first_job) AS blocked_by_job,
    coalesce(holder.id, waiting.first_id) AS blocked_by_queue_job_id,
    CASE
        WHEN holder.id IS NOT NULL THEN 'it runs'
        WHEN known.name IS NULL THEN 'it waits first, and no worker has declared this job'
        ELSE 'it waits first'
    END AS because,
    w.worker_id,
    w.host,
    w.pid,
    waiting.queue_worker_enqueued_at AS enqueued_at
FROM (
    SELECT
        j.id, j.priority, j.task_name, j.lock, j.queue_worker_enqueued_at,
        first_value(j.id) OVER in_order AS first_id,
        first_value(j.priority) OVER in_order AS first_priority,
        first_value(j.task_name) OVER in_order AS first_job,
        first_value(p.is_paused) OVER in_order AS first_is_paused
    FROM procrastinate_jobs AS j
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM queue_worker.pause
            WHERE (kind, name) IN (('job', j.task_name), ('queue', j.queue_name))
        ) AS is_paused
    ) AS p
    WHERE j.status = 'todo'
        AND j.lock IS NOT NULL
        AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    WINDOW in_order AS (PARTITION BY j.lock ORDER BY p.is_paused, j.priority DESC, j.id)
) AS waiting
LEFT JOIN procrastinate_jobs AS holder ON holder.lock = waiting.lock AND holder.status = 'doing'
LEFT JOIN queue_worker.worker AS w ON w.worker_id = holder.worker_id
LEFT JOIN queue_worker.job AS known ON known.name = waiting.first_job
WHERE holder.id IS NOT NULL
    OR (
        NOT waiting.first_is_paused
        AND (-waiting.first_priority, waiting.first_id) < (-waiting.priority, waiting.id)
    );

COMMENT ON VIEW queue_worker.blocked IS 'What is due but waits for a lock key, and what it waits for.';
COMMENT ON COLUMN queue_worker.blocked.job IS 'The job that waits.';
COMMENT ON COLUMN queue_worker.blocked.queue_job_id IS 'Its row in the queue.';
COMMENT ON COLUMN queue_worker.blocked.lock_key IS 'The lock key it waits for.';
COMMENT ON COLUMN queue_worker.blocked.blocked_by_job IS 'The job that holds the key, or comes first.';
COMMENT ON COLUMN queue_worker.blocked.blocked_by_queue_job_id IS 'The row of that one.';
COMMENT ON COLUMN queue_worker.blocked.because IS 'Why that one blocks.';
COMMENT ON COLUMN queue_worker.blocked.worker_id IS 'The worker that runs it, if it runs.';
COMMENT ON COLUMN queue_worker.blocked.host IS 'The host of that worker.';
COMMENT ON COLUMN queue_worker.blocked.pid IS 'The process id of that worker.';
COMMENT ON COLUMN queue_worker.blocked.enqueued_at IS 'Since when the waiting job is in the queue.';
