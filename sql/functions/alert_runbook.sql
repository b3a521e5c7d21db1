CREATE OR REPLACE FUNCTION queue_worker.alert_runbook(type queue_worker.alert_type, is_storm boolean)
    RETURNS text
    LANGUAGE sql
    IMMUTABLE
AS $$
    SELECT 'docs/INCIDENTS.md#' || CASE
        WHEN alert_runbook.is_storm THEN 'alerts-storm'
        ELSE CASE alert_runbook.type
            WHEN 'JOB_FAILED' THEN 'a-job-failed'
            WHEN 'JOB_MISSED' THEN 'a-job-did-not-run'
            WHEN 'JOB_RUNNING_LONG' THEN 'a-lock-is-held'
            WHEN 'JOB_UNKNOWN' THEN 'a-bad-deploy'
            WHEN 'QUEUE_LAGGING' THEN 'a-queue-grows'
            WHEN 'WORKER_LOST' THEN 'a-worker-died'
            WHEN 'ENVIRONMENT_INVALID' THEN 'the-disk-fills'
        END
    END
$$;

COMMENT ON FUNCTION queue_worker.alert_runbook(queue_worker.alert_type, boolean) IS
    'Where it says what to do about an alert whose job names no runbook of its own.';
