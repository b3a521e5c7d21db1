SELECT job, run_id, claimed_at
FROM queue_worker.running
WHERE claimed_at IS NOT NULL
ORDER BY claimed_at
LIMIT %(most)s
