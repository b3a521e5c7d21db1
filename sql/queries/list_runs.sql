SELECT
    run_id, job, outcome::text, queue, lock_key, worker_id, due_at, enqueued_at, enqueued_by,
    started_at, finished_at,
    round(extract(epoch FROM finished_at - started_at) * 1000, 1)::double precision AS duration_ms,
    error_class, error_message, retry_at
FROM queue_worker.run
WHERE (%(job)s::text IS NULL OR job = %(job)s::text)
    AND (%(outcome)s::text IS NULL OR outcome = %(outcome)s::text::queue_worker.outcome)
ORDER BY finished_at DESC
LIMIT %(limit)s
