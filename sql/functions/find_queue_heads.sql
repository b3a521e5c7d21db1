-- One look into the indexes of the claim for each queue, job and priority, however much waits.
CREATE OR REPLACE FUNCTION queue_worker.find_queue_heads()
    RETURNS TABLE (queue text, job text, priority integer, is_later boolean, due_since timestamptz)
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
        (SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
          WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
          ORDER BY j.queue_name, j.task_name, j.priority DESC LIMIT 1)
        UNION ALL
        SELECT next.* FROM ready AS r CROSS JOIN LATERAL (
            (SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
              WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND j.queue_name = r.queue_name AND j.task_name = r.task_name AND j.priority < r.priority
              ORDER BY j.priority DESC LIMIT 1)
            UNION ALL
            (SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
              WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
                AND (j.queue_name, j.task_name) > (r.queue_name, r.task_name)
              ORDER BY j.queue_name, j.task_name, j.priority DESC LIMIT 1)
            LIMIT 1) AS next
    ), later AS (
        (SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
          WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
          ORDER BY j.queue_name, j.task_name, j.priority LIMIT 1)
        UNION ALL
        SELECT next.* FROM later AS r CROSS JOIN LATERAL (
            SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
             WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL
               AND (j.queue_name, j.task_name, j.priority) > (r.queue_name, r.task_name, r.priority)
             ORDER BY j.queue_name, j.task_name, j.priority LIMIT 1) AS next
    ), locked_ready AS (
        (SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
          WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
          ORDER BY j.queue_name, j.task_name, j.priority DESC LIMIT 1)
        UNION ALL
        SELECT next.* FROM locked_ready AS r CROSS JOIN LATERAL (
            (SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
              WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND j.queue_name = r.queue_name AND j.task_name = r.task_name AND j.priority < r.priority
              ORDER BY j.priority DESC LIMIT 1)
            UNION ALL
            (SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
              WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
                AND (j.queue_name, j.task_name) > (r.queue_name, r.task_name)
              ORDER BY j.queue_name, j.task_name, j.priority DESC LIMIT 1)
            LIMIT 1) AS next
    ), locked_later AS (
        (SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
          WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
          ORDER BY j.queue_name, j.task_name, j.priority LIMIT 1)
        UNION ALL
        SELECT next.* FROM locked_later AS r CROSS JOIN LATERAL (
            SELECT j.queue_name, j.task_name, j.priority FROM procrastinate_jobs AS j
             WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL
               AND (j.queue_name, j.task_name, j.priority) > (r.queue_name, r.task_name, r.priority)
             ORDER BY j.queue_name, j.task_name, j.priority LIMIT 1) AS next
    )
    SELECT r.queue_name::text, r.task_name::text, r.priority, false, head.since
      FROM ready AS r CROSS JOIN LATERAL (
        SELECT j.queue_worker_enqueued_at AS since FROM procrastinate_jobs AS j
         WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NULL
           AND j.queue_name = r.queue_name AND j.task_name = r.task_name AND j.priority = r.priority
         ORDER BY j.id LIMIT 1) AS head
    UNION ALL
    SELECT r.queue_name::text, r.task_name::text, r.priority, true, head.since
      FROM later AS r CROSS JOIN LATERAL (
        SELECT j.scheduled_at AS since FROM procrastinate_jobs AS j
         WHERE j.status <= 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL AND j.scheduled_at <= now()
           AND j.queue_name = r.queue_name AND j.task_name = r.task_name AND j.priority = r.priority
         ORDER BY j.scheduled_at LIMIT 1) AS head
    UNION ALL
    SELECT r.queue_name::text, r.task_name::text, r.priority, false, head.since
      FROM locked_ready AS r CROSS JOIN LATERAL (
        SELECT j.queue_worker_enqueued_at AS since FROM procrastinate_jobs AS j
         WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NULL
           AND j.queue_name = r.queue_name AND j.task_name = r.task_name AND j.priority = r.priority
         ORDER BY j.id LIMIT 1) AS head
    UNION ALL
    SELECT r.queue_name::text, r.task_name::text, r.priority, true, head.since
      FROM locked_later AS r CROSS JOIN LATERAL (
        SELECT j.scheduled_at AS since FROM procrastinate_jobs AS j
         WHERE j.status <= 'todo' AND j.lock IS NOT NULL AND j.scheduled_at IS NOT NULL AND j.scheduled_at <= now()
           AND j.queue_name = r.queue_name AND j.task_name = r.task_name AND j.priority = r.priority
         ORDER BY j.scheduled_at LIMIT 1) AS head;
END;
$$;

COMMENT ON FUNCTION queue_worker.find_queue_heads() IS
    'Of each queue, job and priority what has been due for longest, free of locks and not, whether it was scheduled for later, and since when it has been due: enough to tell how far a queue lags behind.';
