CREATE OR REPLACE FUNCTION queue_worker.find_queues() RETURNS SETOF text
    LANGUAGE plpgsql
    STABLE
    SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE queue (name) AS (  -- one look into an index for each
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
    )
    SELECT queue.name::text FROM queue;
END;
$$;

COMMENT ON FUNCTION queue_worker.find_queues() IS
    'Every queue that has a job, waiting or not. Used by the metrics.';
