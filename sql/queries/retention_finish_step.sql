UPDATE queue_worker.retention_step
SET finished_at = clock_timestamp()
WHERE plan_id = %(plan_id)s AND policy = %(policy)s
