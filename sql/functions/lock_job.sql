CREATE OR REPLACE FUNCTION queue_worker.lock_job(queue_job_id bigint) RETURNS procrastinate_jobs
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    job procrastinate_jobs;
BEGIN
    SELECT * INTO job FROM procrastinate_jobs AS j WHERE j.id = lock_job.queue_job_id FOR UPDATE;
    IF job.id IS NULL THEN
        RAISE EXCEPTION 'There is no job % in the queue', lock_job.queue_job_id
            USING ERRCODE = 'no_data_found',
                  HINT = CASE WHEN EXISTS (SELECT FROM queue_worker.run AS r
                                            WHERE r.queue_job_id = lock_job.queue_job_id)
                              THEN 'Its row was removed after it had ended; its runs stand in queue_worker.run.'
                              ELSE 'The number before the dot of a run''s id is that of its job.' END;
    END IF;
    RETURN job;
END;
$$;

COMMENT ON FUNCTION queue_worker.lock_job(bigint) IS
    'The row of a queued job, locked until the end of the transaction; refuses one that is not there.';
