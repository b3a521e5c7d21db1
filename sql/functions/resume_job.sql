CREATE OR REPLACE FUNCTION queue_worker.resume_job(job text, actor text, reason text) RETURNS text
    LANGUAGE sql
AS $$
    SELECT queue_worker.resume('job', resume_job.job, resume_job.actor, resume_job.reason);
$$;

COMMENT ON FUNCTION queue_worker.resume_job(text, text, text) IS
    'End the pause of a job: what waits is claimed, and its next tick counts again. Returns resumed or not paused; the latter changes and audits nothing. Example: SELECT queue_worker.resume_job(''insight_engine'', ''ada'', ''the events are repaired'');';
