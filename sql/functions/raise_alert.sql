CREATE OR REPLACE FUNCTION queue_worker.raise_alert(
    type        queue_worker.alert_type,
    subject     text,
    summary     text,
    job         text DEFAULT NULL,
    run_id      text DEFAULT NULL,
    count       bigint DEFAULT 1,
    recovers_by text DEFAULT 'word'
) RETURNS text
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO queue_worker.alert_event (type, fingerprint, job, subject, summary, run_id, count, recovers_by)
    VALUES (raise_alert.type, raise_alert.type || ':' || raise_alert.subject, raise_alert.job,
            raise_alert.subject, left(raise_alert.summary, 500), raise_alert.run_id,
            raise_alert.count, raise_alert.recovers_by);
    RETURN raise_alert.type || ':' || raise_alert.subject;
END;
$$;

COMMENT ON FUNCTION queue_worker.raise_alert(queue_worker.alert_type, text, text, text, text, bigint, text) IS
    'Say in the caller''s transaction that something is wrong; returns its fingerprint. It is told within seconds of the commit, once a window. Example: SELECT queue_worker.raise_alert(''ENVIRONMENT_INVALID'', ''clock'', ''the clock of db1 is 4 s off'');';
