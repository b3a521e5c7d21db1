SELECT
    j.id AS queue_job_id, j.task_name AS job, j.args, j.queue_name AS queue, j.priority,
    j.lock AS lock_key, j.queueing_lock, j.scheduled_at, j.queue_worker_due_at AS due_at, j.attempts
FROM procrastinate_jobs AS j
WHERE j.status = 'todo'
ORDER BY j.id
