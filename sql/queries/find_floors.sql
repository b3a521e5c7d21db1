-- From where on something waits in these queues, of each kind, free of locks or not: the lowest id of what
-- is due at once, or the highest that was claimed; in seconds since 1970 the time of what was scheduled, but
-- never later than a few seconds ago, as the transaction of a retry may have yet to commit. The indexes have
-- it for each queue, job and priority; where those are too many to look at, the floor stays where it is.
WITH RECURSIVE ready AS (
    SELECT first.queue_name, first.task_name, first.priority, first.id
    FROM (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.id >= %(ready)s::bigint
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
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.id >= %(ready)s::bigint
                AND j.queue_name = served.queue_name
            ORDER BY j.task_name, j.priority DESC, j.id
            LIMIT 1
        ) AS j
    ) AS first
    UNION ALL
    SELECT next.queue_name, next.task_name, next.priority, next.id
    FROM ready AS k
    CROSS JOIN LATERAL (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.id >= %(ready)s::bigint
                AND j.queue_name = k.queue_name AND j.task_name = k.task_name
                AND j.priority < k.priority
            ORDER BY j.priority DESC, j.id
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.id >= %(ready)s::bigint
                AND j.queue_name = k.queue_name AND j.task_name > k.task_name
            ORDER BY j.task_name, j.priority DESC, j.id
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.id >= %(ready)s::bigint
                AND j.queue_name > k.queue_name AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name, j.priority DESC, j.id
            LIMIT 1
        )
        LIMIT 1
    ) AS next
), later AS (
    SELECT first.queue_name, first.task_name, first.priority, first.scheduled_at
    FROM (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL
                AND j.scheduled_at >= to_timestamp(%(later)s::float8)
                AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name, j.priority, j.scheduled_at
            LIMIT 1
        )
        UNION ALL
        SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
        FROM unnest(%(queues)s::text[]) AS served (queue_name)
        CROSS JOIN LATERAL (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL
                AND j.scheduled_at >= to_timestamp(%(later)s::float8)
                AND j.queue_name = served.queue_name
            ORDER BY j.task_name, j.priority, j.scheduled_at
            LIMIT 1
        ) AS j
    ) AS first
    UNION ALL
    SELECT next.queue_name, next.task_name, next.priority, next.scheduled_at
    FROM later AS k
    CROSS JOIN LATERAL (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL
                AND j.scheduled_at >= to_timestamp(%(later)s::float8)
                AND j.queue_name = k.queue_name AND j.task_name = k.task_name
                AND j.priority > k.priority
            ORDER BY j.priority, j.scheduled_at
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL
                AND j.scheduled_at >= to_timestamp(%(later)s::float8)
                AND j.queue_name = k.queue_name AND j.task_name > k.task_name
            ORDER BY j.task_name, j.priority, j.scheduled_at
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL
                AND j.scheduled_at >= to_timestamp(%(later)s::float8)
                AND j.queue_name > k.queue_name AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name, j.priority, j.scheduled_at
            LIMIT 1
        )
        LIMIT 1
    ) AS next
), locked AS (
    SELECT first.queue_name, first.task_name, first.priority, first.id
    FROM (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.id >= %(locked)s::bigint
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
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.id >= %(locked)s::bigint
                AND j.queue_name = served.queue_name
            ORDER BY j.task_name, j.priority DESC, j.id
            LIMIT 1
        ) AS j
    ) AS first
    UNION ALL
    SELECT next.queue_name, next.task_name, next.priority, next.id
    FROM locked AS k
    CROSS JOIN LATERAL (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.id >= %(locked)s::bigint
                AND j.queue_name = k.queue_name AND j.task_name = k.task_name
                AND j.priority < k.priority
            ORDER BY j.priority DESC, j.id
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.id >= %(locked)s::bigint
                AND j.queue_name = k.queue_name AND j.task_name > k.task_name
            ORDER BY j.task_name, j.priority DESC, j.id
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.id
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.id >= %(locked)s::bigint
                AND j.queue_name > k.queue_name AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name, j.priority DESC, j.id
            LIMIT 1
        )
        LIMIT 1
    ) AS next
), locked_later AS (
    SELECT first.queue_name, first.task_name, first.priority, first.scheduled_at
    FROM (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                AND j.scheduled_at >= to_timestamp(%(locked_later)s::float8)
                AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name, j.priority, j.scheduled_at
            LIMIT 1
        )
        UNION ALL
        SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
        FROM unnest(%(queues)s::text[]) AS served (queue_name)
        CROSS JOIN LATERAL (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                AND j.scheduled_at >= to_timestamp(%(locked_later)s::float8)
                AND j.queue_name = served.queue_name
            ORDER BY j.task_name, j.priority, j.scheduled_at
            LIMIT 1
        ) AS j
    ) AS first
    UNION ALL
    SELECT next.queue_name, next.task_name, next.priority, next.scheduled_at
    FROM locked_later AS k
    CROSS JOIN LATERAL (
        (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                AND j.scheduled_at >= to_timestamp(%(locked_later)s::float8)
                AND j.queue_name = k.queue_name AND j.task_name = k.task_name
                AND j.priority > k.priority
            ORDER BY j.priority, j.scheduled_at
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                AND j.scheduled_at >= to_timestamp(%(locked_later)s::float8)
                AND j.queue_name = k.queue_name AND j.task_name > k.task_name
            ORDER BY j.task_name, j.priority, j.scheduled_at
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name, j.priority, j.scheduled_at
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                AND j.scheduled_at >= to_timestamp(%(locked_later)s::float8)
                AND j.queue_name > k.queue_name AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name, j.priority, j.scheduled_at
            LIMIT 1
        )
        LIMIT 1
    ) AS next
)
SELECT
    (
        SELECT CASE WHEN count(*) = 200 THEN %(ready)s::bigint ELSE coalesce(min(id), %(highest_claimed)s::bigint) END
        FROM (SELECT id FROM ready LIMIT 200) AS k
    ),
    (
        SELECT CASE
            WHEN count(*) = 200 THEN %(later)s::float8
            ELSE floor(extract(epoch FROM least(min(scheduled_at), now() - interval '15 seconds')))::float8
        END
        FROM (SELECT scheduled_at FROM later LIMIT 200) AS k
    ),
    (
        SELECT CASE WHEN count(*) = 200 THEN %(locked)s::bigint ELSE coalesce(min(id), %(highest_claimed)s::bigint) END
        FROM (SELECT id FROM locked LIMIT 200) AS k
    ),
    (
        SELECT CASE
            WHEN count(*) = 200 THEN %(locked_later)s::float8
            ELSE floor(extract(epoch FROM least(min(scheduled_at), now() - interval '15 seconds')))::float8
        END
        FROM (SELECT scheduled_at FROM locked_later LIMIT 200) AS k
    )
