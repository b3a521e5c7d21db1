SELECT
    run_id, job, outcome::text, finished_at, error_class, error_message, retry_at,
    round(extract(epoch FROM waited) * 1000, 1)::double precision AS waited_ms,
    round(extract(epoch FROM ran) * 1000, 1)::double precision AS duration_ms,
    queue, lock_key, due_at, worker_id, host, pid
FROM queue_worker.runs
WHERE outcome IN ('failed', 'timed_out', 'lost')
    AND finished_at > now() - make_interval(hours => %(hours)s)
    AND (%(job)s::text IS NULL OR job = %(job)s::text)
ORDER BY finished_at DESC
LIMIT %(limit)s
