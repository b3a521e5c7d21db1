-- Jobs that have waited for a minute, and that neither a living worker nor the caller knows.
SELECT waiting.task_name, count(*)
FROM procrastinate_jobs AS waiting
WHERE waiting.status = 'todo'
    AND (waiting.scheduled_at IS NULL OR waiting.scheduled_at <= now())
    AND waiting.queue_worker_enqueued_at < now() - interval '1 minute'
    AND waiting.task_name <> ALL (%(known)s::text[])
    AND NOT EXISTS (
        SELECT
        FROM queue_worker.worker AS living
        WHERE living.ended_at IS NULL AND living.kind = 'worker'
            AND (living.jobs IS NULL OR waiting.task_name = ANY (living.jobs))
    )
GROUP BY waiting.task_name
ORDER BY count(*) DESC, waiting.task_name
LIMIT 10
