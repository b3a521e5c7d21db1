CREATE OR REPLACE FUNCTION queue_worker.fold_alert_storm(
    kind       queue_worker.alert_type,
    at_once    timestamptz,
    tell_every interval,
    storm_from integer
) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    storm_name text := fold_alert_storm.kind || ':*';
    due        text[];
    told       bigint;
    untold_sum bigint;
    held_sum   bigint;
BEGIN
    SELECT array_agg(a.fingerprint), sum(a.untold), sum(a.held_back) INTO due, untold_sum, held_sum
      FROM queue_worker.alert AS a
     WHERE a.type = fold_alert_storm.kind AND NOT a.is_storm AND a.untold > 0
       AND (a.window_ends_at IS NULL OR a.window_ends_at <= at_once);
    SELECT count(*) INTO told
      FROM queue_worker.alert AS a
     WHERE a.type = fold_alert_storm.kind AND NOT a.is_storm AND a.storm IS NULL
       AND a.told_at > at_once - tell_every AND a.fingerprint <> ALL (due)
       AND (a.state = 'open' OR a.untold > 0 OR a.is_told);
    IF due IS NULL OR cardinality(due) + told <= storm_from THEN
        RETURN;
    END IF;

    UPDATE queue_worker.alert AS a
       SET storm = storm_name, untold = 0, held_back = 0, window_ends_at = at_once + tell_every
     WHERE a.fingerprint = ANY (due);
    INSERT INTO queue_worker.alert AS a (
           fingerprint, type, subject, summary, first_seen_at, last_seen_at, count, untold,
           held_back, recovers_by, is_storm)
    SELECT storm_name, fold_alert_storm.kind, count(*) || ' at once',
           concat(array_to_string((array_agg(m.subject ORDER BY m.count DESC, m.subject))[:10], ', '),
                  CASE WHEN count(*) > 10 THEN format(' and %s more', count(*) - 10) END),
           min(m.first_seen_at), max(m.last_seen_at), untold_sum, untold_sum, held_sum,
           'members', true
      FROM queue_worker.alert AS m
     WHERE m.storm = storm_name AND m.state = 'open'
        ON CONFLICT (fingerprint) DO UPDATE
       SET subject = excluded.subject, summary = excluded.summary,
           state = 'open', resolved_at = NULL,
           first_seen_at = CASE a.state WHEN 'open' THEN a.first_seen_at ELSE excluded.first_seen_at END,
           last_seen_at = excluded.last_seen_at,
           count = CASE a.state WHEN 'open' THEN a.count ELSE 0 END + excluded.count,
           untold = a.untold + excluded.count,
           held_back = a.held_back
               + CASE WHEN a.window_ends_at > at_once THEN excluded.count ELSE excluded.held_back END;
END;
$$;

COMMENT ON FUNCTION queue_worker.fold_alert_storm(queue_worker.alert_type, timestamptz, interval, integer) IS
    'Where more than storm_from alerts of one type would have been told within one window, make one summary of those that are not told yet. Part of tend_alerts.';
