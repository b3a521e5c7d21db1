-- Of what waits for a lock only the head counts. The locks are those met in a window of each job, due at
-- once or later, and, asked for with after_lock, those that follow it by name, for a window that is full
-- of others. What was due at once is looked for from the floor on, and so is what was scheduled.
--
-- The head of a lock may wait in any queue. A floor that was found in some queues says nothing of the
-- others: then the head is looked for from the ground.
--
-- Workers of older versions call it without the floors.
DROP FUNCTION IF EXISTS queue_worker.find_lock_heads(text[], text[], bigint, text);

CREATE OR REPLACE FUNCTION queue_worker.find_lock_heads(
    queues text[],
    known text[],
    most bigint,
    after_lock text,
    floor bigint DEFAULT 0,
    later_floor timestamptz DEFAULT '-infinity'
) RETURNS TABLE (id bigint, priority integer, hides_locks boolean, last_lock text)
    LANGUAGE plpgsql
    STABLE
    SET search_path FROM CURRENT
AS $$
DECLARE
    head_floor bigint := CASE WHEN queues IS NULL THEN floor ELSE 0 END;
    later_head_floor timestamptz := CASE WHEN queues IS NULL THEN later_floor ELSE '-infinity' END;
BEGIN
    RETURN QUERY
    WITH RECURSIVE paused AS MATERIALIZED (
        SELECT p.kind, p.name FROM queue_worker.pause AS p
    ), locked_ready_group AS (
        SELECT first.queue_name, first.task_name
        FROM (
            (
                SELECT j.queue_name, j.task_name
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                    AND j.id >= find_lock_heads.floor
                    AND find_lock_heads.queues IS NULL
                ORDER BY j.queue_name, j.task_name
                LIMIT 1
            )
            UNION ALL
            SELECT j.queue_name, j.task_name
            FROM unnest(find_lock_heads.queues) AS served (queue_name)
            CROSS JOIN LATERAL (
                SELECT j.queue_name, j.task_name
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                    AND j.id >= find_lock_heads.floor
                    AND j.queue_name = served.queue_name
                ORDER BY j.task_name
                LIMIT 1
            ) AS j
        ) AS first
        UNION ALL
        SELECT next.queue_name, next.task_name
        FROM locked_ready_group AS g
        CROSS JOIN LATERAL (
            (
                SELECT j.queue_name, j.task_name
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                    AND j.id >= find_lock_heads.floor
                    AND j.queue_name = g.queue_name AND j.task_name > g.task_name
                ORDER BY j.task_name
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.queue_name, j.task_name
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                    AND j.id >= find_lock_heads.floor
                    AND j.queue_name > g.queue_name AND find_lock_heads.queues IS NULL
                ORDER BY j.queue_name, j.task_name
                LIMIT 1
            )
            LIMIT 1
        ) AS next
    ), locked_later_group AS (
        SELECT first.queue_name, first.task_name, first.priority
        FROM (
            (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                    AND j.scheduled_at >= find_lock_heads.later_floor
                    AND find_lock_heads.queues IS NULL
                ORDER BY j.queue_name, j.task_name, j.priority
                LIMIT 1
            )
            UNION ALL
            SELECT j.queue_name, j.task_name, j.priority
            FROM unnest(find_lock_heads.queues) AS served (queue_name)
            CROSS JOIN LATERAL (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                    AND j.scheduled_at >= find_lock_heads.later_floor
                    AND j.queue_name = served.queue_name
                ORDER BY j.task_name, j.priority
                LIMIT 1
            ) AS j
        ) AS first
        UNION ALL
        SELECT next.queue_name, next.task_name, next.priority
        FROM locked_later_group AS g
        CROSS JOIN LATERAL (
            (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                    AND j.scheduled_at >= find_lock_heads.later_floor
                    AND j.queue_name = g.queue_name AND j.task_name = g.task_name
                    AND j.priority > g.priority
                ORDER BY j.priority
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                    AND j.scheduled_at >= find_lock_heads.later_floor
                    AND j.queue_name = g.queue_name AND j.task_name > g.task_name
                ORDER BY j.task_name, j.priority
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                    AND j.scheduled_at >= find_lock_heads.later_floor
                    AND j.queue_name > g.queue_name AND find_lock_heads.queues IS NULL
                ORDER BY j.queue_name, j.task_name, j.priority
                LIMIT 1
            )
            LIMIT 1
        ) AS next
    ), following_lock AS (
        SELECT first.lock, 1 AS number
        FROM (
            SELECT j.lock
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.id >= find_lock_heads.floor
                AND j.lock > find_lock_heads.after_lock
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
                AND j.id >= find_lock_heads.floor
                AND j.lock > f.lock
            ORDER BY j.lock
            LIMIT 1
        ) AS next
        WHERE f.number < 200
    ), met_ready AS (
        SELECT g.queue_name, g.task_name, j.lock
        FROM locked_ready_group AS g
        CROSS JOIN LATERAL (
            SELECT j.lock
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.id >= find_lock_heads.floor
                AND j.queue_name = g.queue_name AND j.task_name = g.task_name
            ORDER BY j.priority DESC, j.id
            LIMIT find_lock_heads.most
        ) AS j
        WHERE g.task_name = ANY (find_lock_heads.known)
            AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
            AND g.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
    ), met_later AS (
        SELECT g.queue_name, g.task_name, g.priority, j.lock
        FROM locked_later_group AS g
        CROSS JOIN LATERAL (
            SELECT j.lock
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NOT NULL
                AND j.scheduled_at >= find_lock_heads.later_floor AND j.scheduled_at <= now()
                AND j.queue_name = g.queue_name AND j.task_name = g.task_name
                AND j.priority = g.priority
            ORDER BY j.scheduled_at
            LIMIT find_lock_heads.most
        ) AS j
        WHERE g.task_name = ANY (find_lock_heads.known)
            AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
            AND g.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
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
                        AND j.id >= head_floor
                        AND j.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
                        AND j.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
                    ORDER BY j.priority DESC, j.id
                    LIMIT 1
                )
                UNION ALL
                (
                    SELECT due.id, due.priority, due.queue_name, due.task_name
                    FROM (
                        SELECT j.id, j.priority, j.queue_name, j.task_name
                        FROM procrastinate_jobs AS j
                        WHERE j.lock = met.lock AND j.status <= 'todo'
                            AND j.scheduled_at >= later_head_floor AND j.scheduled_at <= now()
                            AND j.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
                            AND j.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
                        ORDER BY j.scheduled_at  -- only the index of the lock has it
                        OFFSET 0
                    ) AS due
                    ORDER BY due.priority DESC, due.id
                    LIMIT 1
                )
            ) AS waiting
            ORDER BY waiting.priority DESC, waiting.id
            LIMIT 1
        ) AS first
        WHERE (find_lock_heads.queues IS NULL OR first.queue_name = ANY (find_lock_heads.queues))
            AND first.task_name = ANY (find_lock_heads.known)
            AND (  -- nobody holds it: a range, as only the index of the lock has its order
                SELECT holder.id
                FROM procrastinate_jobs AS holder
                WHERE holder.lock >= met.lock AND holder.lock <= met.lock AND holder.status = 'doing'
                ORDER BY holder.lock
                LIMIT 1
            ) IS NULL
    ), looked AS (
        SELECT EXISTS (
                SELECT FROM met_ready GROUP BY met_ready.queue_name, met_ready.task_name
                HAVING count(*) >= find_lock_heads.most
            ) OR EXISTS (
                SELECT FROM met_later
                GROUP BY met_later.queue_name, met_later.task_name, met_later.priority
                HAVING count(*) >= find_lock_heads.most
            ) AS hides_locks,
            (SELECT max(following_lock.lock) FROM following_lock)::text AS last_lock
    )
    SELECT head.id, head.priority, looked.hides_locks, looked.last_lock
    FROM looked
    LEFT JOIN head ON true;
END;
$$;

COMMENT ON FUNCTION queue_worker.find_lock_heads(text[], text[], bigint, text, bigint, timestamptz) IS
    'For each lock that is free the job whose turn it is, if it may be run here; at least one row, which says whether other locks may be hidden, and which was the last to be looked at. Used by the claim.';
