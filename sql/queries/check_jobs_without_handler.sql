-- Jobs that have waited for a minute, and that neither a living worker nor the caller has declared.
SELECT waiting.task_name, count(*)
FROM procrastinate_jobs AS waiting
WHERE waiting.status = 'todo'
    AND (waiting.scheduled_at IS NULL OR waiting.scheduled_at <= now())
    AND waiting.queue_worker_enqueued_at < now() - interval '1 minute'
    AND waiting.task_name <> ALL (%(known)s::text[])
    AND NOT EXISTS (
        SELECT
        FROM queue_worker.job AS known
        JOIN queue_worker.worker AS living
            ON living.registry_digest = known.registry_digest AND living.ended_at IS NULL
        WHERE known.name = waiting.task_name
    )
GROUP BY waiting.task_name
ORDER BY count(*) DESC, waiting.task_name
LIMIT 10
