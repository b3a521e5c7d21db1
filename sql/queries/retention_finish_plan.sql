UPDATE queue_worker.retention_plan AS p
SET finished_at = clock_timestamp()
WHERE p.plan_id = %(plan_id)s
    AND NOT EXISTS (
        SELECT FROM queue_worker.retention_step AS s
        WHERE s.plan_id = p.plan_id AND s.finished_at IS NULL
    )
