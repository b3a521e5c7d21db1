-- Procrastinate's rules, a batch at a time: highest priority first, then the oldest; not before
-- its time; of one lock at most one at a time, and in that order. Two differences: a job that is
-- not due yet, or that is paused, does not hold back those behind it, and jobs that this worker
-- doesn't know are left for one that does.
--
-- However much waits, it looks at no more than a window of each job and kind: free of locks or not,
-- due at once or later; the indexes queue_worker_jobs_* have just these orders. Each kind is looked for from
-- its floor on, an id or a time before which none waits, or the claim would step over all that is done.
-- What is scheduled and what needs a lock is looked for in functions, which cost nothing
-- where there is no such job: the start of a statement takes its time for everything that is written in it.
WITH RECURSIVE paused AS MATERIALIZED (
    SELECT kind, name FROM queue_worker.pause
), ready_group AS (  -- queues and jobs of which something waits: a look into the index for each
    SELECT first.queue_name, first.task_name
    FROM (
        (
            SELECT j.queue_name, j.task_name
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(ready)s::bigint
                AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name
            LIMIT 1
        )
        UNION ALL
        SELECT j.queue_name, j.task_name
        FROM unnest(%(queues)s::text[]) AS served (queue_name)
        CROSS JOIN LATERAL (
            SELECT j.queue_name, j.task_name
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(ready)s::bigint
                AND j.queue_name = served.queue_name
            ORDER BY j.task_name
            LIMIT 1
        ) AS j
    ) AS first
    UNION ALL
    SELECT next.queue_name, next.task_name
    FROM ready_group AS g
    CROSS JOIN LATERAL (
        (
            SELECT j.queue_name, j.task_name
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(ready)s::bigint
                AND j.queue_name = g.queue_name AND j.task_name > g.task_name
            ORDER BY j.task_name
            LIMIT 1
        )
        UNION ALL
        (
            SELECT j.queue_name, j.task_name
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(ready)s::bigint
                AND j.queue_name > g.queue_name AND %(queues)s::text[] IS NULL
            ORDER BY j.queue_name, j.task_name
            LIMIT 1
        )
        LIMIT 1
    ) AS next
), ready AS (
    SELECT j.id, j.priority
    FROM ready_group AS g
    CROSS JOIN LATERAL (
        SELECT j.id, j.priority
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL AND j.id >= %(ready)s::bigint
            AND j.queue_name = g.queue_name AND j.task_name = g.task_name
        ORDER BY j.priority DESC, j.id
        LIMIT %(window)s::bigint
    ) AS j
    WHERE g.task_name = ANY (%(jobs)s::text[])
        AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
        AND g.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
), later AS (
    SELECT due.id, due.priority
    FROM queue_worker.find_due_jobs(
        %(queues)s::text[], %(jobs)s::text[], %(window)s::bigint, to_timestamp(%(later)s::float8)
    ) AS due
    WHERE (  -- not EXISTS: the order is what no other index has
        SELECT true
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at >= to_timestamp(%(later)s::float8)
        ORDER BY j.queue_name, j.task_name
        LIMIT 1
    )
), locked AS MATERIALIZED (
    SELECT found.id, found.priority, found.hides_locks, found.last_lock
    FROM queue_worker.find_lock_heads(
        %(queues)s::text[], %(jobs)s::text[], %(window)s::bigint, %(after_lock)s::text,
        %(locked)s::bigint, to_timestamp(%(locked_later)s::float8)
    ) AS found
    WHERE (
        SELECT true
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
            AND j.id >= %(locked)s::bigint
        ORDER BY j.queue_name, j.task_name
        LIMIT 1
    ) OR (
        SELECT true
        FROM procrastinate_jobs AS j
        WHERE j.status <= 'todo' AND j.lock IS NOT NULL
            AND j.scheduled_at >= to_timestamp(%(locked_later)s::float8)
        ORDER BY j.queue_name, j.task_name
        LIMIT 1
    )
), candidate AS MATERIALIZED (
    SELECT c.id
    FROM (
        SELECT id, priority FROM ready
        UNION ALL
        SELECT id, priority FROM later
        UNION ALL
        SELECT id, priority FROM locked WHERE id IS NOT NULL
    ) AS c
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
    coalesce((SELECT bool_or(hides_locks) FROM locked), false) AS may_hide_locks,
    (SELECT max(last_lock) FROM locked) AS last_lock,
    claimed.*
FROM (VALUES (1)) AS answer (n)
LEFT JOIN claimed ON true
