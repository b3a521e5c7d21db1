-- A window of each job that is due by now, however much is scheduled for later: by queue, job and
-- priority, in the order in which they became due, and none before the floor.
--
-- Workers of older versions call it without the floor.
DROP FUNCTION IF EXISTS queue_worker.find_due_jobs(text[], text[], bigint);

CREATE OR REPLACE FUNCTION queue_worker.find_due_jobs(
    queues text[], known text[], most bigint, floor timestamptz DEFAULT '-infinity'
) RETURNS TABLE (id bigint, priority integer)
    LANGUAGE plpgsql
    STABLE
    SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE paused AS MATERIALIZED (
        SELECT p.kind, p.name FROM queue_worker.pause AS p
    ), later_group AS (  -- what is scheduled: a look into the index for each, due or not
        SELECT first.queue_name, first.task_name, first.priority
        FROM (
            (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at >= find_due_jobs.floor
                    AND find_due_jobs.queues IS NULL
                ORDER BY j.queue_name, j.task_name, j.priority
                LIMIT 1
            )
            UNION ALL
            SELECT j.queue_name, j.task_name, j.priority
            FROM unnest(find_due_jobs.queues) AS served (queue_name)
            CROSS JOIN LATERAL (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at >= find_due_jobs.floor
                    AND j.queue_name = served.queue_name
                ORDER BY j.task_name, j.priority
                LIMIT 1
            ) AS j
        ) AS first
        UNION ALL
        SELECT next.queue_name, next.task_name, next.priority
        FROM later_group AS g
        CROSS JOIN LATERAL (
            (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at >= find_due_jobs.floor
                    AND j.queue_name = g.queue_name AND j.task_name = g.task_name
                    AND j.priority > g.priority
                ORDER BY j.priority
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at >= find_due_jobs.floor
                    AND j.queue_name = g.queue_name AND j.task_name > g.task_name
                ORDER BY j.task_name, j.priority
                LIMIT 1
            )
            UNION ALL
            (
                SELECT j.queue_name, j.task_name, j.priority
                FROM procrastinate_jobs AS j
                WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at >= find_due_jobs.floor
                    AND j.queue_name > g.queue_name AND find_due_jobs.queues IS NULL
                ORDER BY j.queue_name, j.task_name, j.priority
                LIMIT 1
            )
            LIMIT 1
        ) AS next
    ), later AS (
        SELECT j.id, j.priority
        FROM later_group AS g
        CROSS JOIN LATERAL (
            SELECT j.id, j.priority
            FROM procrastinate_jobs AS j
            WHERE j.status <= 'todo' AND j.lock IS NULL
                AND j.scheduled_at >= find_due_jobs.floor AND j.scheduled_at <= now()
                AND j.queue_name = g.queue_name AND j.task_name = g.task_name
                AND j.priority = g.priority
            ORDER BY j.scheduled_at
            LIMIT find_due_jobs.most
        ) AS j
        WHERE g.task_name = ANY (find_due_jobs.known)
            AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
            AND g.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
    )
    SELECT later.id, later.priority FROM later;
END;
$$;

COMMENT ON FUNCTION queue_worker.find_due_jobs(text[], text[], bigint, timestamptz) IS
    'What was scheduled for the floor or later, is due and needs no lock: of these queues, of the jobs that are known, so many of each. Used by the claim.';
