CREATE OR REPLACE FUNCTION queue_worker.raise_tick_alerts() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO queue_worker.alert_event (at, type, fingerprint, job, subject, summary, count, recovers_by)
    SELECT max(m.decided_at), 'JOB_MISSED', 'JOB_MISSED:' || m.job, m.job, m.job,
           format('%s with no run, the last was due at %s UTC: %s',
                  CASE WHEN max(m.missed_since) IS NOT NULL THEN format('more than %s ticks', count(*))
                       WHEN count(*) = 1 THEN '1 tick' ELSE format('%s ticks', count(*)) END,
                  to_char(max(m.due_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), max(m.reason)),
           count(*), 'success'
      FROM decided AS m
     WHERE m.state = 'missed'
     GROUP BY m.job;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.raise_tick_alerts() IS
    'Trigger of the ledger of ticks: an event for each job of which ticks were missed.';

CREATE OR REPLACE TRIGGER tick_alerts
    AFTER INSERT ON queue_worker.tick
    REFERENCING NEW TABLE AS decided
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.raise_tick_alerts();
