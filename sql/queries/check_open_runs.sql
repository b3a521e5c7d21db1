-- Claims that are older than the time in which a dead worker is found, and have no living one:
-- neither one of ours nor one of procrastinate's.
SELECT held.id || '.' || (held.attempts + 1) AS run_id, held.task_name
FROM procrastinate_jobs AS held
LEFT JOIN queue_worker.worker AS ours ON ours.worker_id = held.worker_id AND ours.ended_at IS NULL
LEFT JOIN procrastinate_workers AS theirs ON theirs.id = held.worker_id
WHERE held.status = 'doing'
    AND (held.queue_worker_claimed_at IS NULL OR held.queue_worker_claimed_at < now() - interval '1 minute')
    AND (ours.worker_id IS NULL OR ours.last_heartbeat_at < now() - interval '1 minute')
    AND (theirs.id IS NULL OR theirs.last_heartbeat < now() - interval '1 minute')
ORDER BY held.id
LIMIT 100
