-- A few looks into the indexes of the claim for each queue and priority, however much waits.
CREATE OR REPLACE FUNCTION queue_worker.find_queue_heads(depth integer)
    RETURNS TABLE (queue text, job text, due_since timestamptz)
    LANGUAGE plpgsql
    STABLE
    SET search_path FROM CURRENT
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE ready AS (
        (SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
          WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
          ORDER BY j.queue_name, j.priority DESC LIMIT 1)
        UNION ALL
        SELECT next.* FROM ready AS r CROSS JOIN LATERAL (
            (SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
              WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.queue_name = r.queue_name AND j.priority < r.priority
              ORDER BY j.priority DESC LIMIT 1)
            UNION ALL
            (SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
              WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.queue_name > r.queue_name
              ORDER BY j.queue_name, j.priority DESC LIMIT 1)
            LIMIT 1) AS next
    ), later AS (
        (SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
          WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
          ORDER BY j.queue_name, j.priority LIMIT 1)
        UNION ALL
        SELECT next.* FROM later AS r CROSS JOIN LATERAL (
            SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
             WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
               AND (j.queue_name, j.priority) > (r.queue_name, r.priority)
             ORDER BY j.queue_name, j.priority LIMIT 1) AS next
    ), locked_ready AS (
        (SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
          WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
          ORDER BY j.queue_name, j.priority DESC LIMIT 1)
        UNION ALL
        SELECT next.* FROM locked_ready AS r CROSS JOIN LATERAL (
            (SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
              WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.queue_name = r.queue_name AND j.priority < r.priority
              ORDER BY j.priority DESC LIMIT 1)
            UNION ALL
            (SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
              WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.queue_name > r.queue_name
              ORDER BY j.queue_name, j.priority DESC LIMIT 1)
            LIMIT 1) AS next
    ), locked_later AS (
        (SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
          WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
          ORDER BY j.queue_name, j.priority LIMIT 1)
        UNION ALL
        SELECT next.* FROM locked_later AS r CROSS JOIN LATERAL (
            SELECT j.queue_name, j.priority FROM procrastinate_jobs AS j
             WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
               AND (j.queue_name, j.priority) > (r.queue_name, r.priority)
             ORDER BY j.queue_name, j.priority LIMIT 1) AS next
    )
    SELECT r.queue_name::text, head.task_name::text, head.queue_worker_enqueued_at
      FROM ready AS r CROSS JOIN LATERAL (
        SELECT j.task_name, j.queue_worker_enqueued_at FROM procrastinate_jobs AS j
         WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
           AND j.queue_name = r.queue_name AND j.priority = r.priority
         ORDER BY j.id LIMIT find_queue_heads.depth) AS head
    UNION ALL
    SELECT r.queue_name::text, head.task_name::text, head.scheduled_at
      FROM later AS r CROSS JOIN LATERAL (
        SELECT j.task_name, j.scheduled_at FROM procrastinate_jobs AS j
         WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
           AND j.queue_name = r.queue_name AND j.priority = r.priority
           AND j.scheduled_at <= now()
         ORDER BY j.scheduled_at LIMIT find_queue_heads.depth) AS head
    UNION ALL
    SELECT r.queue_name::text, head.task_name::text, head.queue_worker_enqueued_at
      FROM locked_ready AS r CROSS JOIN LATERAL (
        SELECT j.task_name, j.queue_worker_enqueued_at FROM procrastinate_jobs AS j
         WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
           AND j.queue_name = r.queue_name AND j.priority = r.priority
         ORDER BY j.id LIMIT find_queue_heads.depth) AS head
    UNION ALL
    SELECT r.queue_name::text, head.task_name::text, head.scheduled_at
      FROM locked_later AS r CROSS JOIN LATERAL (
        SELECT j.task_name, j.scheduled_at FROM procrastinate_jobs AS j
         WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
           AND j.queue_name = r.queue_name AND j.priority = r.priority
           AND j.scheduled_at <= now()
         ORDER BY j.scheduled_at LIMIT find_queue_heads.depth) AS head;
END;
$$;

COMMENT ON FUNCTION queue_worker.find_queue_heads(integer) IS
    'Of each queue and priority the first jobs that are due, free of locks and not, and since when each has been due: enough to tell how far a queue lags behind.';
