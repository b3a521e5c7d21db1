-- A window of each job that is due by now, however much is scheduled for later: by queue, job and
-- priority, in the order in which they became due.
CREATE OR REPLACE FUNCTION queue_worker.find_due_jobs(queues text[], known text[], most bigint)
    RETURNS TABLE (id bigint, priority integer)
    LANGUAGE plpgsql
    STABLE
    SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE paused AS MATERIALIZED (
        SELECT p.kind, p.name FROM queue_worker.pause AS p
    ), served AS MATERIALIZED (
        SELECT q.queue_name
        FROM (
            SELECT given.queue_name FROM unnest(find_due_jobs.queues) AS given (queue_name)
            UNION ALL
            SELECT w.queue_name FROM queue_worker.find_queues() AS w (queue_name)
            WHERE find_due_jobs.queues IS NULL
        ) AS q
        WHERE q.queue_name NOT IN (SELECT name FROM paused WHERE kind = 'queue')
    ), later_group AS (  -- what is scheduled: a look into the index for each, due or not
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
            LIMIT find_due_jobs.most
        ) AS j
        WHERE g.task_name = ANY (find_due_jobs.known)
            AND g.task_name NOT IN (SELECT name FROM paused WHERE kind = 'job')
    )
    SELECT later.id, later.priority FROM later;
END;
$$;

COMMENT ON FUNCTION queue_worker.find_due_jobs(text[], text[], bigint) IS
    'What was scheduled, is due and needs no lock: of these queues, of the jobs that are known, so many of each. Used by the claim.';
