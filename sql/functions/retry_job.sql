CREATE OR REPLACE FUNCTION queue_worker.retry_job(
    queue_job_id bigint,
    actor        text,
    reason       text,
    although_succeeded boolean DEFAULT false
) RETURNS text
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    job     procrastinate_jobs;
    next_id text;
    problem text;
BEGIN
    PERFORM queue_worker.require_actor(retry_job.actor, retry_job.reason);
    job := queue_worker.lock_job(retry_job.queue_job_id);
    IF job.status IN ('todo', 'doing') THEN
        RAISE EXCEPTION 'Job % %', job.id,
                CASE job.status WHEN 'todo' THEN 'still waits' ELSE 'runs' END
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = CASE job.status
                             WHEN 'todo' THEN 'It runs when its time and its lock key let it.'
                             ELSE 'Wait for its end, or cancel it first.' END;
    END IF;
    IF NOT coalesce(retry_job.although_succeeded, false) AND (
        job.status = 'succeeded' OR EXISTS (
            SELECT FROM queue_worker.run AS r
             WHERE r.queue_job_id = job.id AND r.outcome = 'succeeded'))
    THEN
        RAISE EXCEPTION 'Job % has succeeded', job.id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'If it must run once more all the same, say although_succeeded.';
    END IF;

    problem := queue_worker.return_to_queue(job);
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION 'Job % is not run again: %', job.id, problem
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'That one does the work; retry this one when it has ended, if it must be.';
    END IF;
    SELECT j.id || '.' || (j.attempts + 1) INTO next_id FROM procrastinate_jobs AS j WHERE j.id = job.id;
    PERFORM queue_worker.audit(
        retry_job.actor, 'job.retried', 'queue_job:' || job.id, retry_job.reason,
        jsonb_build_object('job', job.task_name, 'run_id', next_id));
    PERFORM queue_worker.wake_workers();
    RETURN next_id;
END;
$$;

COMMENT ON FUNCTION queue_worker.retry_job(bigint, text, text, boolean) IS
    'Run a job once more that has failed, was lost, skipped or cancelled: the same job, its next attempt; returns the id of that run. Refuses what waits or runs, what has succeeded unless although_succeeded says so, and what a job of the same queueing lock does already. Example: SELECT queue_worker.retry_job(42, ''ada'', ''the service is back'');';
