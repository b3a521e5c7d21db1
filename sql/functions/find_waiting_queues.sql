-- A look into each of the four indexes of the claim for every queue, however much waits.
CREATE OR REPLACE FUNCTION queue_worker.find_waiting_queues() RETURNS SETOF text
    LANGUAGE plpgsql
    STABLE
    SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE queue (queue_name) AS (  -- in their order; then null
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
        FROM queue AS q
        WHERE q.queue_name IS NOT NULL
    )
    SELECT found.queue_name::text FROM queue AS found WHERE found.queue_name IS NOT NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.find_waiting_queues() IS
    'The queues in which something waits, due or not. Used by the claim and by the metrics.';
