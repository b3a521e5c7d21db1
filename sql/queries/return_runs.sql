-- Give claimed rows back to the queue unstarted: no attempt is charged and nothing is recorded. A
-- queueing lock that another job took meanwhile is left to that one. Sent a second time, it leaves
-- alone what has been claimed anew. What somebody has cancelled meanwhile does not wait again; a
-- trigger records that.
UPDATE procrastinate_jobs AS claimed
SET status = CASE WHEN claimed.abort_requested THEN 'cancelled' ELSE 'todo'
             END::procrastinate_job_status,
    worker_id = NULL,
    queueing_lock = CASE WHEN queue_worker.find_by_queueing_lock(claimed.queueing_lock) IS NULL
        THEN claimed.queueing_lock END,
    abort_requested = false,
    scheduled_at = clock_timestamp() + make_interval(secs => %(wait)s)
WHERE claimed.id = ANY (%(queue_job_ids)s::bigint[])
    AND claimed.status = 'doing'
    AND claimed.worker_id = %(worker_id)s
    AND claimed.queue_worker_claimed_at = ANY (%(claimed_at)s::timestamptz[])
RETURNING claimed.id
