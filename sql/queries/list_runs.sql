-- The newest of each job, and of those the newest: by the index over jobs alone, whatever the ledger
-- holds. The names are found by jumping from one to the next.
WITH RECURSIVE known AS (
    (SELECT job FROM queue_worker.run ORDER BY job LIMIT 1)
    UNION ALL
    SELECT (SELECT run.job FROM queue_worker.run WHERE run.job > known.job ORDER BY run.job LIMIT 1)
    FROM known
    WHERE known.job IS NOT NULL
), wanted AS (
    SELECT job FROM known WHERE %(job)s::text IS NULL AND job IS NOT NULL
    UNION ALL
    SELECT %(job)s::text WHERE %(job)s::text IS NOT NULL
)
SELECT
    newest.run_id, newest.job, newest.outcome::text, newest.queue, newest.lock_key,
    newest.worker_id, newest.host, newest.pid, newest.due_at, newest.enqueued_at,
    newest.enqueued_by, newest.started_at, newest.finished_at,
    round(extract(epoch FROM newest.waited) * 1000, 1)::double precision AS waited_ms,
    round(extract(epoch FROM newest.ran) * 1000, 1)::double precision AS duration_ms,
    newest.error_class, newest.error_message, newest.retry_at, newest.dry_run
FROM wanted
CROSS JOIN LATERAL (
    SELECT * FROM queue_worker.runs
    WHERE runs.job = wanted.job
        AND (%(outcome)s::text IS NULL OR runs.outcome = %(outcome)s::text::queue_worker.outcome)
    ORDER BY runs.finished_at DESC
    LIMIT %(limit)s
) AS newest
ORDER BY newest.finished_at DESC
LIMIT %(limit)s
