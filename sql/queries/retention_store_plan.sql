INSERT INTO queue_worker.retention_plan (policy_digest)
VALUES (%(digest)s)
RETURNING plan_id
