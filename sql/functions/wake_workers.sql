CREATE OR REPLACE FUNCTION queue_worker.wake_workers() RETURNS void
    LANGUAGE sql
    SET search_path FROM CURRENT
AS $$
    SELECT pg_notify(channel, '{"type": "job_inserted", "job_id": 0}')
      FROM (
            SELECT 'procrastinate_any_queue_v1' AS channel
            UNION
            SELECT 'procrastinate_queue_v1#' || served.queue
              FROM queue_worker.worker AS w, unnest(w.queues) AS served (queue)
             WHERE w.ended_at IS NULL
           ) AS listened;
$$;

COMMENT ON FUNCTION queue_worker.wake_workers() IS
    'Tell every worker that there may be something to claim, once this transaction has committed.';
