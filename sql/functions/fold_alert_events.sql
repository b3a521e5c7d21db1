CREATE OR REPLACE FUNCTION queue_worker.fold_alert_events(at_once timestamptz) RETURNS void
    LANGUAGE sql
AS $$
    WITH taken AS (
        DELETE FROM queue_worker.alert_event RETURNING *
    ), newest AS (
        SELECT DISTINCT ON (t.fingerprint) t.* FROM taken AS t
         ORDER BY t.fingerprint, t.at DESC, t.event_id DESC
    ), summed AS (
        SELECT t.fingerprint, min(t.at) AS first_at, sum(t.count) AS count
          FROM taken AS t GROUP BY t.fingerprint
    )
    INSERT INTO queue_worker.alert AS a (
           fingerprint, type, job, subject, summary, run_id, first_seen_at, last_seen_at, count,
           untold, recovers_by)
    SELECT n.fingerprint, n.type, n.job, n.subject, n.summary, n.run_id, s.first_at, n.at, s.count,
           s.count, n.recovers_by
      FROM newest AS n JOIN summed AS s USING (fingerprint)
        ON CONFLICT (fingerprint) DO UPDATE
       SET job = excluded.job, subject = excluded.subject, summary = excluded.summary,
           run_id = excluded.run_id, recovers_by = excluded.recovers_by,
           state = 'open', resolved_at = NULL,
           first_seen_at = CASE a.state WHEN 'open' THEN a.first_seen_at ELSE excluded.first_seen_at END,
           last_seen_at = greatest(a.last_seen_at, excluded.last_seen_at),
           count = CASE a.state WHEN 'open' THEN a.count ELSE 0 END + excluded.count,
           untold = a.untold + excluded.count,
           held_back = a.held_back
               + CASE WHEN a.window_ends_at > at_once THEN excluded.count ELSE 0 END
$$;

COMMENT ON FUNCTION queue_worker.fold_alert_events(timestamptz) IS
    'Make alerts of the events that are there, and delete these. Part of tend_alerts, which sees to it that nobody else does the same.';
