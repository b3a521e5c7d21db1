-- How much is due in each queue, up to 10,000, and how long the oldest of it has been due: a few
-- looks into the indexes of the claim, whatever waits or has finished.
WITH queue (name) AS (
    SELECT found.name FROM queue_worker.find_queues() AS found (name)
), head AS MATERIALIZED (
    SELECT * FROM queue_worker.find_queue_heads()
), later AS MATERIALIZED (  -- each once, whether free of locks or not
    SELECT DISTINCT head.queue, head.job, head.priority FROM head WHERE head.is_later
)
SELECT
    queue.name,
    due.jobs,
    coalesce(
        clock_timestamp() - (SELECT min(head.due_since) FROM head WHERE head.queue = queue.name),
        interval '0'
    )
FROM queue
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs
    FROM (
        SELECT
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
            AND j.queue_name = queue.name
        UNION ALL
        SELECT
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
            AND j.queue_name = queue.name
        UNION ALL
        SELECT
        FROM later
        CROSS JOIN LATERAL (
            SELECT
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at <= now()
                AND j.queue_name = later.queue AND j.task_name = later.job
                AND j.priority = later.priority
            UNION ALL
            SELECT
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at <= now()
                AND j.queue_name = later.queue AND j.task_name = later.job
                AND j.priority = later.priority
        ) AS j
        WHERE later.queue = queue.name
        LIMIT 10000
    ) AS waiting
) AS due
