SELECT
    finished_at, job, run_id, outcome::text, error_class, left(error_message, 300) AS error_message,
    extract(epoch FROM clock_timestamp() - finished_at)::double precision AS ago
FROM queue_worker.recent_failures
LIMIT %(limit)s
