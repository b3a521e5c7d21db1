CREATE OR REPLACE FUNCTION queue_worker.cancel_job(queue_job_id bigint, actor text, reason text)
    RETURNS text
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    job  procrastinate_jobs;
    what text;
BEGIN
    PERFORM queue_worker.require_actor(cancel_job.actor, cancel_job.reason);
    job := queue_worker.lock_job(cancel_job.queue_job_id);
    IF job.status NOT IN ('todo', 'doing') THEN
        RAISE EXCEPTION 'Job % has ended: it is %', job.id, job.status
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Only what waits or runs can be cancelled.';
    END IF;
    IF job.abort_requested THEN
        RETURN 'already asked to end';
    END IF;

    what := CASE job.status WHEN 'todo' THEN 'cancelled' ELSE 'asked to end' END;
    PERFORM queue_worker.audit(
        cancel_job.actor, 'job.cancelled', 'queue_job:' || job.id, cancel_job.reason,
        jsonb_build_object('job', job.task_name, 'what', what));
    UPDATE procrastinate_jobs AS j
       SET status = CASE j.status WHEN 'todo' THEN 'cancelled' ELSE j.status END::procrastinate_job_status,
           abort_requested = (j.status = 'doing')
     WHERE j.id = job.id;
    RETURN what;
END;
$$;

COMMENT ON FUNCTION queue_worker.cancel_job(bigint, text, text) IS
    'Cancel a queued job for good. Returns cancelled if it still waited; asked to end if it runs: its worker notices within a second and ends the run, which gets its grace; or already asked to end, which changes and audits nothing. Example: SELECT queue_worker.cancel_job(42, ''ada'', ''sent twice'');';
