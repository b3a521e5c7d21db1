-- Of the newest rows of the queue, those that have ended under our care and that the ledger does not know.
SELECT newest.id
FROM (
    SELECT id, status, queue_worker_claimed_at, queue_worker_enqueued_at
    FROM procrastinate_jobs
    ORDER BY id DESC
    LIMIT %(newest)s::bigint
) AS newest
WHERE CASE
        WHEN newest.status IN ('succeeded', 'failed', 'aborted') THEN newest.queue_worker_claimed_at
        WHEN newest.status = 'cancelled' THEN newest.queue_worker_enqueued_at
    END IS NOT NULL
    AND NOT EXISTS (SELECT FROM queue_worker.run AS r WHERE r.queue_job_id = newest.id)
ORDER BY newest.id DESC
LIMIT 100
