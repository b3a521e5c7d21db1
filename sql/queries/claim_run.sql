-- One job by its id, for an inline run: it does not wait its turn, but its lock must be free, and it
-- must not be paused.
UPDATE procrastinate_jobs AS j
SET status = 'doing', worker_id = %(worker_id)s, queue_worker_claimed_at = clock_timestamp()
WHERE j.id = %(queue_job_id)s
    AND j.status <= 'todo'  -- so that no index but that of the key fits, whatever the statistics
    AND queue_worker.find_by_lock_key(j.lock) IS NULL
    AND queue_worker.find_pause(j.task_name, j.queue_name) IS NULL
RETURNING
    j.id, j.attempts + 1, j.task_name, j.queue_name, j.priority, j.lock, j.args::text,
    j.queue_worker_due_at, coalesce(j.queue_worker_enqueued_at, j.queue_worker_claimed_at),
    j.queue_worker_claimed_at, j.queue_worker_restarts, j.queue_worker_losses,
    j.queue_worker_trace
