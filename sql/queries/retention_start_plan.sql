-- The first time it is applied, and only then, the audit log is told.
WITH started AS (
    UPDATE queue_worker.retention_plan
    SET started_at = clock_timestamp()
    WHERE plan_id = %(plan_id)s AND started_at IS NULL
    RETURNING plan_id
)
SELECT queue_worker.audit(
    %(actor)s, 'retention.applied', 'plan:' || plan_id, %(reason)s,
    (
        SELECT jsonb_object_agg(s.policy, s.rows)
        FROM queue_worker.retention_step AS s
        WHERE s.plan_id = started.plan_id
    )
)
FROM started
