SELECT
    finished_at, job, run_id, outcome::text, error_class, left(error_message, 500) AS error_message
FROM queue_worker.run
WHERE outcome IN ('failed', 'timed_out', 'lost')
    AND finished_at > %(since)s AND finished_at <= %(until)s
ORDER BY finished_at DESC
LIMIT %(most)s
