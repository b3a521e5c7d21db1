-- Procrastinate's rules, a batch at a time: highest priority first, then the oldest; not before
-- its time; of one lock at most one at a time, and in that order. Two differences: a job that is
-- not due yet does not hold back those behind it, and jobs that this worker doesn't know are left
-- for one that does. A job that is asked for by its id (an inline run) does not wait its turn.
WITH candidate AS (
    SELECT waiting.id
    FROM procrastinate_jobs AS waiting
    WHERE waiting.status = 'todo'
        AND waiting.task_name = ANY (%(jobs)s::text[])
        AND (%(queues)s::text[] IS NULL OR waiting.queue_name = ANY (%(queues)s::text[]))
        AND (waiting.scheduled_at IS NULL OR waiting.scheduled_at <= now())
        AND (%(queue_job_id)s::bigint IS NULL OR waiting.id = %(queue_job_id)s::bigint)
        AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS holder
            WHERE holder.lock = waiting.lock AND holder.status = 'doing'
        )
        AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS earlier
            WHERE %(queue_job_id)s::bigint IS NULL
                AND earlier.lock = waiting.lock
                AND earlier.status = 'todo'
                AND (earlier.scheduled_at IS NULL OR earlier.scheduled_at <= now())
                AND (
                    earlier.priority > waiting.priority
                    OR (earlier.priority = waiting.priority AND earlier.id < waiting.id)
                )
        )
    ORDER BY waiting.priority DESC, waiting.id
    LIMIT %(free)s::integer
    FOR UPDATE OF waiting SKIP LOCKED
)
UPDATE procrastinate_jobs AS claimed
SET status = 'doing',
    worker_id = %(worker_id)s,
    queue_worker_claimed_at = clock_timestamp()
FROM candidate
WHERE claimed.id = candidate.id
RETURNING
    claimed.id,
    claimed.attempts + 1,
    claimed.task_name,
    claimed.queue_name,
    claimed.priority,
    claimed.lock,
    claimed.args::text,
    claimed.queue_worker_due_at,
    coalesce(claimed.queue_worker_enqueued_at, claimed.queue_worker_claimed_at),
    coalesce(claimed.queue_worker_enqueued_by, 'unknown'),
    claimed.queue_worker_claimed_at
