CREATE OR REPLACE FUNCTION queue_worker.rescue_ownerless(rescuer_id bigint)
    RETURNS TABLE (queue_job_id bigint, attempt integer, job text, what text)
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    held procrastinate_jobs;
BEGIN
    FOR held IN
        SELECT p.*
          FROM procrastinate_jobs AS p
          JOIN queue_worker.job AS known ON known.name = p.task_name
         WHERE p.status = 'doing'
           AND p.worker_id IS NULL
           AND p.queue_worker_claimed_at < clock_timestamp() - interval '2 seconds'
         ORDER BY p.id
           FOR UPDATE OF p SKIP LOCKED
    LOOP
        what := queue_worker.close_lost_run(
            held, NULL,
            'somebody has removed its worker from procrastinate_workers while it ran; found by worker '
                || rescuer_id);
        queue_job_id := held.id;
        attempt := held.attempts + 1;
        job := held.task_name;
        RETURN NEXT;
    END LOOP;
    IF queue_job_id IS NOT NULL THEN
        PERFORM queue_worker.wake_workers();
    END IF;
END;
$$;

COMMENT ON FUNCTION queue_worker.rescue_ownerless(bigint) IS
    'Close claimed runs that belong to no worker any more, as when procrastinate has pruned it: they are lost. Returns a row for each. Called by the reaper of a worker.';
