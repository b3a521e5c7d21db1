DROP VIEW IF EXISTS queue_worker.blocked;

CREATE VIEW queue_worker.blocked AS
SELECT
    waiting.task_name AS job,
    waiting.id AS queue_job_id,
    waiting.lock AS lock_key,
    blocker.task_name AS blocked_by_job,
    blocker.id AS blocked_by_queue_job_id,
    CASE
        WHEN blocker.status = 'doing' THEN 'it runs'
        WHEN known.name IS NULL THEN 'it waits first, and no worker has declared this job'
        ELSE 'it waits first'
    END AS because,
    w.worker_id,
    w.host,
    w.pid,
    waiting.queue_worker_enqueued_at AS enqueued_at
FROM procrastinate_jobs AS waiting
JOIN LATERAL (
    SELECT other.*
    FROM procrastinate_jobs AS other
    WHERE other.lock = waiting.lock
        AND (
            other.status = 'doing'
            OR (
                other.status = 'todo'
                AND (other.scheduled_at IS NULL OR other.scheduled_at <= now())
                AND other.task_name NOT IN (SELECT name FROM queue_worker.pause WHERE kind = 'job')
                AND other.queue_name NOT IN (SELECT name FROM queue_worker.pause WHERE kind = 'queue')
                AND (
                    other.priority > waiting.priority
                    OR (other.priority = waiting.priority AND other.id < waiting.id)
                )
            )
        )
    ORDER BY other.status = 'doing' DESC, other.priority DESC, other.id
    LIMIT 1
) AS blocker ON true
LEFT JOIN queue_worker.worker AS w ON w.worker_id = blocker.worker_id
LEFT JOIN queue_worker.job AS known ON known.name = blocker.task_name
WHERE waiting.status = 'todo'
    AND waiting.lock IS NOT NULL
    AND (waiting.scheduled_at IS NULL OR waiting.scheduled_at <= now());

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
