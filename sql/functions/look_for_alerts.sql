-- What goes on is raised once, not with every look.
CREATE OR REPLACE FUNCTION queue_worker.look_for_alerts(
    lagging_after  interval,
    unknown_after  interval,
    long_after     interval,
    snapshot_after interval
) RETURNS integer
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    found_now text[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('queue_worker.alerts', 0)) THEN
        RETURN 0;
    END IF;
    WITH conditions AS MATERIALIZED (
        SELECT c.*, c.type || ':' || c.subject AS fingerprint
          FROM queue_worker.find_alert_conditions(
                   look_for_alerts.lagging_after, look_for_alerts.unknown_after,
                   look_for_alerts.long_after, look_for_alerts.snapshot_after) AS c
    ), raised AS (
        INSERT INTO queue_worker.alert_event (type, fingerprint, job, subject, summary, run_id, recovers_by)
        SELECT c.type, c.fingerprint, c.job, c.subject, left(c.summary, 500), c.run_id, c.recovers_by
          FROM conditions AS c
         WHERE NOT EXISTS (
                   SELECT FROM queue_worker.alert AS a
                    WHERE a.fingerprint = c.fingerprint AND a.state = 'open')
           AND NOT EXISTS (
                   SELECT FROM queue_worker.alert_event AS e WHERE e.fingerprint = c.fingerprint)
    )
    SELECT coalesce(array_agg(c.fingerprint), '{}') INTO found_now FROM conditions AS c;

    UPDATE queue_worker.alert AS a
       SET state = 'resolved', resolved_at = clock_timestamp()
     WHERE a.state = 'open' AND a.recovers_by = 'absence' AND a.fingerprint <> ALL (found_now);
    RETURN cardinality(found_now);
END;
$$;

COMMENT ON FUNCTION queue_worker.look_for_alerts(interval, interval, interval, interval) IS
    'Raise what is found wrong now and is not open yet, and resolve what is not found any more; returns how much is wrong. Called by every worker, every few seconds.';
