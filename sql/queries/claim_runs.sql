-- Procrastinate's rules, a batch at a time: highest priority first, then the oldest; not before
-- its time; of one lock at most one at a time, and in that order. Two differences: a job that is
-- not due yet, or that is paused, does not hold back those behind it, and jobs that this worker
-- doesn't know are left for one that does.
--
-- However much waits, it looks at no more than a window of each job and kind: free of locks or not,
-- due at once or later; the indexes queue_worker_jobs_* have just these orders. What was scheduled for
-- later comes in the order in which it became due. Of what waits for a lock only the head counts:
-- the locks are those met in the window and, asked for with after_lock, those that follow it by
-- name, for a window that is full of others.
WITH RECURSIVE every_queue (queue_name) AS (  -- in which something waits, in their order; then null
    SELECT least(
        (
            SELECT min(j.queue_name)
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
        ),
        (
            SELECT min(j.queue_name)
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
        ),
        (
            SELECT min(j.queue_name)
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
        ),
        (
            SELECT min(j.queue_name)
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
        )
    )
    WHERE %(queues)s::text[] IS NULL
    UNION ALL
    SELECT least(
        (
            SELECT min(j.queue_name)
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.queue_name > q.queue_name
        ),
        (
            SELECT min(j.queue_name)
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
                AND j.queue_name > q.queue_name
        ),
        (
            SELECT min(j.queue_name)
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.queue_name > q.queue_name
        ),
        (
            SELECT min(j.queue_name)
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
                AND j.queue_name > q.queue_name
        )
    )
    FROM every_queue AS q
    WHERE q.queue_name IS NOT NULL
), paused AS MATERIALIZED (
    SELECT kind, name FROM queue_worker.pause
), served AS MATERIALIZED (
    SELECT q.queue_name
    FROM (
        SELECT queue_name FROM unnest(%(queues)s::text[]) AS q (queue_name)
        UNION ALL
        SELECT queue_name FROM every_queue
    ) AS q
    WHERE q.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
), ready_group AS (  -- queues and jobs of which something waits
    SELECT q.queue_name, first.task_name
    FROM served AS q
    CROSS JOIN LATERAL (
        SELECT j.task_name
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
            AND j.queue_name = q.queue_name
        ORDER BY j.task_name
        LIMIT 1
    ) AS first
    UNION ALL
    SELECT g.queue_name, next.task_name
    FROM ready_group AS g
    CROSS JOIN LATERAL (
        SELECT j.task_name
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
            AND j.queue_name = g.queue_name AND j.task_name > g.task_name
        ORDER BY j.task_name
        LIMIT 1
    ) AS next
), later_group AS (  -- the same by priority, for its time
    SELECT q.queue_name, first.task_name, first.priority
    FROM served AS q
    CROSS JOIN LATERAL (
        SELECT j.task_name, j.priority
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
            AND j.queue_name = q.queue_name
        ORDER BY j.task_name, j.priority
        LIMIT 1
    ) AS first
    UNION ALL
    SELECT g.queue_name, next.task_name, next.priority
    FROM later_group AS g
    CROSS JOIN LATERAL (
        SELECT j.task_name, j.priority
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
            AND j.queue_name = g.queue_name AND (j.task_name, j.priority) > (g.task_name, g.priority)
        ORDER BY j.task_name, j.priority
        LIMIT 1
    ) AS next
), locked_ready_group AS (
    SELECT q.queue_name, first.task_name
    FROM served AS q
    CROSS JOIN LATERAL (
        SELECT j.task_name
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
            AND j.queue_name = q.queue_name
        ORDER BY j.task_name
        LIMIT 1
    ) AS first
    UNION ALL
    SELECT g.queue_name, next.task_name
    FROM locked_ready_group AS g
    CROSS JOIN LATERAL (
        SELECT j.task_name
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
            AND j.queue_name = g.queue_name AND j.task_name > g.task_name
        ORDER BY j.task_name
        LIMIT 1
    ) AS next
), locked_later_group AS (
    SELECT q.queue_name, first.task_name, first.priority
    FROM served AS q
    CROSS JOIN LATERAL (
        SELECT j.task_name, j.priority
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
            AND j.queue_name = q.queue_name
        ORDER BY j.task_name, j.priority
        LIMIT 1
    ) AS first
    UNION ALL
    SELECT g.queue_name, next.task_name, next.priority
    FROM locked_later_group AS g
    CROSS JOIN LATERAL (
        SELECT j.task_name, j.priority
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
            AND j.queue_name = g.queue_name AND (j.task_name, j.priority) > (g.task_name, g.priority)
        ORDER BY j.task_name, j.priority
        LIMIT 1
    ) AS next
), following_lock AS (
    SELECT first.lock, 1 AS number
    FROM (
        SELECT j.lock
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
            AND j.lock > %(after_lock)s::text
        ORDER BY j.lock
        LIMIT 1
    ) AS first
    UNION ALL
    SELECT next.lock, f.number + 1
    FROM following_lock AS f
    CROSS JOIN LATERAL (
        SELECT j.lock
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
            AND j.lock > f.lock
        ORDER BY j.lock
        LIMIT 1
    ) AS next
    WHERE f.number < 200
), ready AS (
    SELECT j.id, j.priority
    FROM ready_group AS g
    CROSS JOIN LATERAL (
        SELECT j.id, j.priority
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
            AND j.queue_name = g.queue_name AND j.task_name = g.task_name
        ORDER BY j.priority DESC, j.id
        LIMIT %(window)s::bigint
    ) AS j
    WHERE g.task_name = ANY (%(jobs)s::text[])
        AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
), later AS (
    SELECT j.id, j.priority
    FROM later_group AS g
    CROSS JOIN LATERAL (
        SELECT j.id, j.priority
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
            AND j.queue_name = g.queue_name AND j.task_name = g.task_name
            AND j.priority = g.priority AND j.scheduled_at <= now()
        ORDER BY j.scheduled_at
        LIMIT %(window)s::bigint
    ) AS j
    WHERE g.task_name = ANY (%(jobs)s::text[])
        AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
), met_ready AS (
    SELECT g.queue_name, g.task_name, j.lock
    FROM locked_ready_group AS g
    CROSS JOIN LATERAL (
        SELECT j.lock
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
            AND j.queue_name = g.queue_name AND j.task_name = g.task_name
        ORDER BY j.priority DESC, j.id
        LIMIT %(window)s::bigint
    ) AS j
    WHERE g.task_name = ANY (%(jobs)s::text[])
        AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
), met_later AS (
    SELECT g.queue_name, g.task_name, g.priority, j.lock
    FROM locked_later_group AS g
    CROSS JOIN LATERAL (
        SELECT j.lock
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
            AND j.queue_name = g.queue_name AND j.task_name = g.task_name
            AND j.priority = g.priority AND j.scheduled_at <= now()
        ORDER BY j.scheduled_at
        LIMIT %(window)s::bigint
    ) AS j
    WHERE g.task_name = ANY (%(jobs)s::text[])
        AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
), head AS (
    SELECT first.id, first.priority
    FROM (
        SELECT lock FROM met_ready
        UNION
        SELECT lock FROM met_later
        UNION
        SELECT lock FROM following_lock
    ) AS met
    CROSS JOIN LATERAL (
        SELECT waiting.id, waiting.priority, waiting.queue_name, waiting.task_name
        FROM (
            (
                SELECT j.id, j.priority, j.queue_name, j.task_name
                FROM procrastinate_jobs AS j
                WHERE j.lock = met.lock AND j.status <= 'todo' AND j.scheduled_at IS NULL
                    AND j.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
                    AND j.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
                ORDER BY j.priority DESC, j.id
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.id, j.priority, j.queue_name, j.task_name
                FROM procrastinate_jobs AS j
                WHERE j.lock = met.lock AND j.status <= 'todo' AND j.scheduled_at <= now()
                    AND j.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
                    AND j.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
                ORDER BY j.priority DESC, j.id
                LIMIT 1
            )
        ) AS waiting
        ORDER BY waiting.priority DESC, waiting.id
        LIMIT 1
    ) AS first
    WHERE first.queue_name IN (SELECT queue_name FROM served)
        AND first.task_name = ANY (%(jobs)s::text[])
        AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS holder
            WHERE holder.lock = met.lock AND holder.status = 'doing'
        )
), candidate AS MATERIALIZED (
    SELECT c.id
    FROM (SELECT * FROM ready UNION ALL SELECT * FROM later UNION ALL SELECT * FROM head) AS c
    ORDER BY c.priority DESC, c.id
    LIMIT %(window)s::bigint
), taken AS MATERIALIZED (
    SELECT j.id
    FROM procrastinate_jobs AS j
    WHERE j.id = ANY (ARRAY(SELECT id FROM candidate))
        AND j.status <= 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    ORDER BY j.priority DESC, j.id
    LIMIT %(free)s::bigint
    FOR UPDATE OF j SKIP LOCKED
), moment AS MATERIALIZED (  -- after the locks are held: no run of them can end later than this
    SELECT clock_timestamp() AS at, count(*) AS taken FROM taken
), claimed AS (
    UPDATE procrastinate_jobs AS j
    SET status = 'doing',
        worker_id = %(worker_id)s,
        queue_worker_claimed_at = (SELECT at FROM moment)
    WHERE j.id = ANY (ARRAY(SELECT id FROM taken))
    RETURNING
        j.id, j.attempts + 1 AS attempt, j.task_name, j.queue_name, j.priority, j.lock,
        j.args::text AS args, j.queue_worker_due_at AS due_at,
        coalesce(j.queue_worker_enqueued_at, j.queue_worker_claimed_at) AS enqueued_at,
        j.queue_worker_claimed_at AS claimed_at, j.queue_worker_restarts, j.queue_worker_losses,
        j.queue_worker_trace
)
SELECT
    (SELECT count(*) FROM candidate) AS met,
    EXISTS (
        SELECT FROM met_ready GROUP BY queue_name, task_name HAVING count(*) >= %(window)s::bigint
    ) OR EXISTS (
        SELECT FROM met_later
        GROUP BY queue_name, task_name, priority
        HAVING count(*) >= %(window)s::bigint
    ) AS may_hide_locks,
    (SELECT max(lock) FROM following_lock) AS last_lock,
    claimed.*
FROM (VALUES (1)) AS answer (n)
LEFT JOIN claimed ON true
