SELECT
    plan_id, made_at, made_by, policy_digest, started_at, finished_at, undone_at,
    made_at < clock_timestamp() - interval '1 day' AS is_old
FROM queue_worker.retention_plan
WHERE plan_id = %(plan_id)s
