CREATE OR REPLACE FUNCTION queue_worker.alert_command(type queue_worker.alert_type, run_id text)
    RETURNS text
    LANGUAGE sql
    IMMUTABLE
AS $$
    SELECT CASE
        WHEN alert_command.run_id IS NOT NULL THEN 'queue-worker show ' || alert_command.run_id
        WHEN alert_command.type = 'JOB_MISSED' THEN 'queue-worker check --overdue'
        WHEN alert_command.type = 'ENVIRONMENT_INVALID' THEN 'queue-worker check'
        ELSE 'queue-worker status'
    END
$$;

COMMENT ON FUNCTION queue_worker.alert_command(queue_worker.alert_type, text) IS
    'The command that shows more of an alert.';
