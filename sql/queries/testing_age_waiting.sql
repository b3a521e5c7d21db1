UPDATE procrastinate_jobs
SET scheduled_at = scheduled_at - %(by)s::interval,
    queue_worker_enqueued_at = queue_worker_enqueued_at - %(by)s::interval
WHERE status = 'todo'
