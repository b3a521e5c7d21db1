CREATE OR REPLACE FUNCTION queue_worker.end_alerts(at_once timestamptz) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE queue_worker.alert AS a
       SET state = 'resolved', resolved_at = at_once
     WHERE a.state = 'open'
       AND CASE a.recovers_by
               WHEN 'success' THEN EXISTS (
                   SELECT FROM queue_worker.run AS r
                    WHERE r.job = a.job AND r.finished_at > a.last_seen_at
                      AND r.outcome = 'succeeded')
               WHEN 'start' THEN EXISTS (
                   SELECT FROM queue_worker.worker AS w
                    WHERE w.ended_at IS NULL AND w.kind = 'worker' AND w.started_at > a.last_seen_at)
               ELSE false
           END;
    UPDATE queue_worker.alert AS a
       SET state = 'resolved', resolved_at = at_once
     WHERE a.state = 'open' AND a.recovers_by = 'members'
       AND NOT EXISTS (
           SELECT FROM queue_worker.alert AS m
            WHERE m.storm = a.fingerprint AND m.state = 'open');
END;
$$;

COMMENT ON FUNCTION queue_worker.end_alerts(timestamptz) IS
    'Resolve the alerts that have recovered by a success of their job, by a new worker, or with all that they sum up. Part of tend_alerts.';
