UPDATE queue_worker.retention_step
SET finished_at = CASE WHEN %(problem)s::text IS NULL THEN clock_timestamp() END,
    problem = %(problem)s
WHERE plan_id = %(plan_id)s AND policy = %(policy)s
