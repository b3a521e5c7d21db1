-- Give claimed rows back to the queue unstarted: no attempt is charged and nothing is recorded.
UPDATE procrastinate_jobs AS claimed
SET status = 'todo',
    worker_id = NULL,
    abort_requested = false,
    scheduled_at = clock_timestamp() + make_interval(secs => %(wait)s)
WHERE claimed.id = ANY (%(queue_job_ids)s::bigint[])
    AND claimed.status = 'doing'
    AND claimed.worker_id = %(worker_id)s
RETURNING claimed.id
