CREATE OR REPLACE FUNCTION queue_worker.record_updated() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
    SET enable_hashjoin = on  -- whatever the session says: the plan is made once, for however few
    SET enable_nestloop = off -- rows, and kept
AS $$
DECLARE
    claimed bigint[] := (
        SELECT array_agg(DISTINCT becomes.worker_id)
          FROM after AS becomes
         WHERE becomes.status = 'doing' AND becomes.worker_id IS NOT NULL);
BEGIN
    IF claimed IS NOT NULL THEN
        PERFORM queue_worker.check_worker(claimed);
    END IF;
    INSERT INTO procrastinate_events (job_id, type)
    SELECT changed.id, changed.type
      FROM (
            SELECT becomes.id,
                   CASE
                       WHEN was.status = 'todo' AND becomes.status = 'doing' THEN 'started'
                       WHEN was.status = 'doing' AND becomes.status = 'todo' THEN 'deferred_for_retry'
                       WHEN was.status = 'doing' AND becomes.status = 'failed' THEN 'failed'
                       WHEN was.status = 'doing' AND becomes.status = 'succeeded' THEN 'succeeded'
                       WHEN was.status = 'doing' AND becomes.status = 'aborted' THEN 'aborted'
                       WHEN was.status = 'todo' AND becomes.status IN ('cancelled', 'failed', 'succeeded')
                           THEN 'cancelled'
                       WHEN was.status = 'failed' AND becomes.status = 'todo' THEN 'retried'
                   END::procrastinate_job_event_type AS type
              FROM before AS was
              JOIN after AS becomes USING (id)
      ) AS changed
     WHERE changed.type IS NOT NULL;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.record_updated() IS
    'Trigger of procrastinate_jobs: the events that procrastinate records for each changed status, for a whole statement at once. Refuses a claim by a worker that is not registered.';
