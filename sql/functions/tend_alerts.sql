-- One at a time in the whole fleet, and who comes second leaves at once: nobody waits here, and what
-- was not seen now is seen a second later. What has failed is told before it may have recovered:
-- nothing that happened goes untold.
CREATE OR REPLACE FUNCTION queue_worker.tend_alerts(
    tell_every interval,
    storm_from integer,
    sinks      text[],
    delivery   jsonb
) RETURNS integer
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    at_once   timestamptz := clock_timestamp();
    kind      queue_worker.alert_type;
    due       text[];
    recovered text[];
    written   integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('queue_worker.alerts', 0)) THEN
        RETURN 0;
    END IF;

    PERFORM queue_worker.fold_alert_events(at_once);
    FOR kind IN SELECT DISTINCT a.type FROM queue_worker.alert AS a WHERE a.untold > 0 LOOP
        PERFORM queue_worker.fold_alert_storm(kind, at_once, tend_alerts.tell_every, tend_alerts.storm_from);
    END LOOP;

    SELECT array_agg(a.fingerprint) INTO due
      FROM queue_worker.alert AS a
     WHERE a.untold > 0 AND (a.window_ends_at IS NULL OR a.window_ends_at <= at_once);
    IF due IS NOT NULL THEN
        written := queue_worker.write_alert_messages('raised', due, tend_alerts.sinks);
        UPDATE queue_worker.alert AS a
           SET untold = 0, held_back = 0, told_at = at_once, is_told = true, storm = NULL,
               window_ends_at = at_once + tend_alerts.tell_every
         WHERE a.fingerprint = ANY (due);
    END IF;

    PERFORM queue_worker.end_alerts(at_once);
    SELECT array_agg(a.fingerprint) INTO recovered
      FROM queue_worker.alert AS a WHERE a.state = 'resolved' AND a.is_told;
    IF recovered IS NOT NULL THEN
        written := written + queue_worker.write_alert_messages('resolved', recovered, tend_alerts.sinks);
        UPDATE queue_worker.alert AS a SET is_told = false WHERE a.fingerprint = ANY (recovered);
    END IF;

    -- Not at once again after a delivery that failed as a whole, or was a dry run.
    IF tend_alerts.delivery IS NOT NULL AND EXISTS (
        SELECT FROM queue_worker.alert_delivery AS d
         WHERE d.state = 'waiting' AND d.next_try_at <= clock_timestamp()
    ) AND queue_worker.find_by_queueing_lock(tend_alerts.delivery ->> 'queueing_lock') IS NULL
      AND NOT EXISTS (
        SELECT FROM queue_worker.run AS r
         WHERE r.job = tend_alerts.delivery ->> 'job'
           AND r.finished_at > clock_timestamp() - interval '30 seconds'
           AND r.outcome IN ('failed', 'timed_out', 'dry_run')
    ) THEN
        PERFORM queue_worker.enqueue_jobs(jsonb_build_array(tend_alerts.delivery));
    END IF;
    RETURN written;
END;
$$;

COMMENT ON FUNCTION queue_worker.tend_alerts(interval, integer, text[], jsonb) IS
    'Fold events into alerts, write a message for each alert that is to be told, at most one in each window, and for each that has recovered; address them to the sinks, and enqueue the job that delivers what is due. Returns how many messages it wrote. Called by every worker, about once a second.';
