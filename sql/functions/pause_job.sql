CREATE OR REPLACE FUNCTION queue_worker.pause_job(job text, actor text, reason text) RETURNS text
    LANGUAGE sql
AS $$
    SELECT queue_worker.pause('job', pause_job.job, pause_job.actor, pause_job.reason);
$$;

COMMENT ON FUNCTION queue_worker.pause_job(text, text, text) IS
    'From now on no worker claims this job, and its ticks are skipped; what runs goes on. Returns paused or already paused; the latter changes and audits nothing. Example: SELECT queue_worker.pause_job(''insight_engine'', ''ada'', ''the events of Monday are wrong'');';
