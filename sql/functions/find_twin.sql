CREATE OR REPLACE FUNCTION queue_worker.find_twin(job procrastinate_jobs) RETURNS text
    LANGUAGE sql STABLE
    SET search_path FROM CURRENT
AS $$
    SELECT 'job ' || queue_worker.find_by_queueing_lock((find_twin.job).queueing_lock)
           || ' of the same queueing lock waits already';
$$;

COMMENT ON FUNCTION queue_worker.find_twin(procrastinate_jobs) IS
    'Which job does the work of this one, as it waits with the same queueing lock; null if none does.';
