SELECT
    policy, relation::text AS table, cutoff, seen::text AS seen, rows, of_rows, oldest, newest, bytes,
    upto_id, partitions, referenced_by, removed, finished_at
FROM queue_worker.retention_step
WHERE plan_id = %(plan_id)s
ORDER BY policy
