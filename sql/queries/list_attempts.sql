-- Every recorded run of one queued job; the newest thousand, if a job was ever tried that often.
SELECT
    run_id, job, outcome::text, queue, lock_key, due_at, enqueued_at, enqueued_by, started_at,
    finished_at,
    round(extract(epoch FROM waited) * 1000, 1)::double precision AS waited_ms,
    round(extract(epoch FROM ran) * 1000, 1)::double precision AS duration_ms,
    dry_run, error_class, error_message, retry_at, worker_id, host, pid, queue_job_id, attempt,
    traceback
FROM queue_worker.runs
WHERE queue_job_id = %(queue_job_id)s
ORDER BY attempt DESC
LIMIT 1000
