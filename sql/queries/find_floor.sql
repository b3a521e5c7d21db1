-- The lowest id, from this one on, of what waits without a lock and may be claimed by this worker; null
-- if nothing does. Of each queue, job and priority only the first is looked at.
WITH RECURSIVE kind AS (
    (
        SELECT j.queue_name, j.task_name, j.priority, j.id
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(floor)s::bigint
        ORDER BY j.queue_name, j.task_name, j.priority DESC, j.id
        LIMIT 1
    )
    UNION ALL
    SELECT next.queue_name, next.task_name, next.priority, next.id
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
                AND j.queue_name > k.queue_name
            ORDER BY j.queue_name, j.task_name, j.priority DESC, j.id
            LIMIT 1
        )
        LIMIT 1
    ) AS next
)
SELECT min(k.id)
FROM kind AS k
WHERE k.task_name = ANY (%(jobs)s::text[])
    AND (%(queues)s::text[] IS NULL OR k.queue_name = ANY (%(queues)s::text[]))
    AND NOT EXISTS (
        SELECT FROM queue_worker.pause AS p
        WHERE (p.kind = 'job' AND p.name = k.task_name) OR (p.kind = 'queue' AND p.name = k.queue_name)
    )
