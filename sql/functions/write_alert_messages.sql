CREATE OR REPLACE FUNCTION queue_worker.write_alert_messages(
    kind text, fingerprints text[], sinks text[]
) RETURNS integer
    LANGUAGE sql
AS $$
    WITH written AS (
        INSERT INTO queue_worker.alert_message (
               fingerprint, kind, type, job, subject, summary, run_id, first_seen_at, last_seen_at,
               count, held_back, owner, runbook, command)
        SELECT a.fingerprint, write_alert_messages.kind, a.type, a.job, a.subject, a.summary, a.run_id,
               a.first_seen_at, a.last_seen_at, a.count, a.held_back,
               coalesce(j.owner, ''),
               coalesce(nullif(j.runbook, ''), queue_worker.alert_runbook(a.type, a.is_storm)),
               queue_worker.alert_command(a.type, a.run_id)
          FROM queue_worker.alert AS a
          LEFT JOIN queue_worker.job AS j ON j.name = a.job
         WHERE a.fingerprint = ANY (write_alert_messages.fingerprints)
        RETURNING message_id
    ), addressed AS (
        INSERT INTO queue_worker.alert_delivery (message_id, sink)
        SELECT message_id, sink
          FROM written CROSS JOIN unnest(write_alert_messages.sinks) AS sink
    )
    SELECT count(*)::integer FROM written
$$;

COMMENT ON FUNCTION queue_worker.write_alert_messages(text, text[], text[]) IS
    'Write what is to be told of these alerts, as they stand now, and address it to the sinks. Part of tend_alerts.';
