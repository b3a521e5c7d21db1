-- Both rows or none: no row means that somebody declared this worker dead.
WITH renewed AS (
    UPDATE procrastinate_workers SET last_heartbeat = now()
    WHERE id = %(worker_id)s
    RETURNING id
)
UPDATE queue_worker.worker AS w
SET last_heartbeat_at = clock_timestamp()
FROM renewed
WHERE w.worker_id = renewed.id AND w.ended_at IS NULL
RETURNING w.worker_id
