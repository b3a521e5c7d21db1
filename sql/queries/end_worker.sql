WITH gone AS (
    DELETE FROM procrastinate_workers WHERE id = %(worker_id)s
)
UPDATE queue_worker.worker
SET ended_at = clock_timestamp(), ended_how = %(how)s
WHERE worker_id = %(worker_id)s AND ended_at IS NULL
