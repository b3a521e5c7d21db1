-- The lowest id, from this one on, of what waits in these queues and is free of locks and due at once; null
-- if nothing does. The index has it for each queue, job and priority; where those are too many to look
-- at, the floor stays where it is.
WITH RECURSIVE kind AS (
    SELECT first.queue_name, first.task_name, first.priority, first.id, 1 AS number
    FROM (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(floor)s::bigint
                AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name, j.priority DESC, j.id
            LIMIT 1
        )
        UNION ALL
        SELECT j.queue_name, j.task_name, j.priority, j.id
        FROM unnest(%(queues)s::text[]) AS served (queue_name)
        CROSS JOIN LATERAL (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(floor)s::bigint
                AND j.queue_name = served.queue_name
            ORDER BY j.task_name, j.priority DESC, j.id
            LIMIT 1
        ) AS j
    ) AS first
    UNION ALL
    SELECT next.queue_name, next.task_name, next.priority, next.id, k.number + 1
    FROM kind AS k
    CROSS JOIN LATERAL (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(floor)s::bigint
                AND j.queue_name = k.queue_name AND j.task_name = k.task_name AND j.priority < k.priority
            ORDER BY j.priority DESC, j.id
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(floor)s::bigint
                AND j.queue_name = k.queue_name AND j.task_name > k.task_name
            ORDER BY j.task_name, j.priority DESC, j.id
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(floor)s::bigint
                AND j.queue_name > k.queue_name AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name, j.priority DESC, j.id
            LIMIT 1
        )
        LIMIT 1
    ) AS next
    WHERE k.number < 200
)
SELECT CASE WHEN max(k.number) < 200 THEN min(k.id) WHEN max(k.number) >= 200 THEN %(floor)s::bigint END
FROM kind AS k
