-- A row of the queue, and why it still waits if it does.
SELECT
    queued.queue_job_id, queued.job, queued.status::text, queued.attempt, queued.queue,
    queued.priority, queued.lock_key, queued.due_at, queued.enqueued_at, queued.enqueued_by,
    queued.scheduled_at, queued.claimed_at, queued.worker_id, w.host, w.pid,
    coalesce(queued.scheduled_at > now(), false) AS is_later,
    holder.job AS held_by_job,
    holder.queue_job_id || '.' || holder.attempt AS held_by_run,
    EXISTS (
        SELECT FROM queue_worker.worker AS server
        WHERE server.ended_at IS NULL
            AND server.kind = 'worker'
            AND server.last_heartbeat_at > now() - interval '15 seconds'
            AND (cardinality(server.queues) = 0 OR queued.queue = ANY (server.queues))
    ) AS is_served
FROM queue_worker.queued
LEFT JOIN queue_worker.worker AS w ON w.worker_id = queued.worker_id
LEFT JOIN queue_worker.queued AS holder
    ON holder.queue_job_id = queue_worker.find_by_lock_key(queued.lock_key)
    AND holder.queue_job_id <> queued.queue_job_id
WHERE queued.queue_job_id = %(queue_job_id)s
