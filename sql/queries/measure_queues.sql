-- How much is due in each queue, up to 10,000, and how long the oldest of it has been due: a few
-- looks into the indexes of the claim for each queue and priority, whatever waits or has finished.
WITH RECURSIVE queue (name) AS (
    (SELECT j.queue_name FROM procrastinate_jobs AS j ORDER BY j.queue_name LIMIT 1)
    UNION ALL
    SELECT next.queue_name
    FROM queue
    CROSS JOIN LATERAL (
        SELECT j.queue_name
        FROM procrastinate_jobs AS j
        WHERE j.queue_name > queue.name
        ORDER BY j.queue_name
        LIMIT 1
    ) AS next
), level (queue, priority) AS (  -- the priorities in which something waits in it
    SELECT queue.name, 2147483648 FROM queue
    UNION ALL
    SELECT level.queue, next.priority
    FROM level
    CROSS JOIN LATERAL (
        SELECT max(first.priority)::bigint AS priority
        FROM (
            (
                SELECT j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                    AND j.queue_name = level.queue AND j.priority < level.priority
                ORDER BY j.priority DESC
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                    AND j.queue_name = level.queue AND j.priority < level.priority
                ORDER BY j.priority DESC
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
                    AND j.queue_name = level.queue AND j.priority < level.priority
                ORDER BY j.priority DESC
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
                    AND j.queue_name = level.queue AND j.priority < level.priority
                ORDER BY j.priority DESC
                LIMIT 1
            )
        ) AS first
    ) AS next
    WHERE next.priority IS NOT NULL
), due AS (
    SELECT queue.name AS queue, count(*) FILTER (WHERE waiting.queue IS NOT NULL) AS jobs
    FROM queue
    LEFT JOIN LATERAL (
        SELECT level.queue
        FROM level
        CROSS JOIN LATERAL (
            SELECT
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.queue_name = level.queue AND j.priority = level.priority
            UNION ALL
            SELECT
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.queue_name = level.queue AND j.priority = level.priority
            UNION ALL
            SELECT
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at <= now()
                AND j.queue_name = level.queue AND j.priority = level.priority
            UNION ALL
            SELECT
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at <= now()
                AND j.queue_name = level.queue AND j.priority = level.priority
        ) AS j
        WHERE level.queue = queue.name
        LIMIT 10000
    ) AS waiting ON true
    GROUP BY queue.name
), oldest AS (
    SELECT level.queue, min(first.since) AS since
    FROM level
    CROSS JOIN LATERAL (
        (
            SELECT j.queue_worker_enqueued_at AS since
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.queue_name = level.queue AND j.priority = level.priority
            ORDER BY j.id
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_worker_enqueued_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.queue_name = level.queue AND j.priority = level.priority
            ORDER BY j.id
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at <= now()
                AND j.queue_name = level.queue AND j.priority = level.priority
            ORDER BY j.scheduled_at
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at <= now()
                AND j.queue_name = level.queue AND j.priority = level.priority
            ORDER BY j.scheduled_at
            LIMIT 1
        )
    ) AS first
    GROUP BY level.queue
)
SELECT due.queue, due.jobs, coalesce(clock_timestamp() - oldest.since, interval '0')
FROM due
LEFT JOIN oldest ON oldest.queue = due.queue
