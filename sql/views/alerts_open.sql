DROP VIEW IF EXISTS queue_worker.alerts_open;

CREATE VIEW queue_worker.alerts_open AS
SELECT
    a.type,
    a.subject,
    a.summary,
    a.count,
    a.first_seen_at,
    a.last_seen_at,
    queue_worker.alert_command(a.type, a.run_id) AS command,
    coalesce(known.owner, '') AS owner,
    coalesce(nullif(known.runbook, ''), queue_worker.alert_runbook(a.type, a.is_storm)) AS runbook,
    a.told_at,
    a.untold,
    a.storm AS told_by,
    waiting.deliveries AS waiting_deliveries,
    a.undelivered,
    a.fingerprint
FROM queue_worker.alert AS a
LEFT JOIN queue_worker.job AS known ON known.name = a.job
LEFT JOIN LATERAL (
    SELECT count(*) AS deliveries
    FROM queue_worker.alert_message AS m
    JOIN queue_worker.alert_delivery AS d USING (message_id)
    WHERE m.fingerprint = a.fingerprint AND d.state = 'waiting'
) AS waiting ON true
WHERE a.state = 'open'
ORDER BY a.first_seen_at;

COMMENT ON VIEW queue_worker.alerts_open IS 'What is wrong and has not recovered, the oldest first.';
COMMENT ON COLUMN queue_worker.alerts_open.type IS 'What it is about.';
COMMENT ON COLUMN queue_worker.alerts_open.subject IS 'The job, queue or host it is about.';
COMMENT ON COLUMN queue_worker.alerts_open.summary IS 'What happened last.';
COMMENT ON COLUMN queue_worker.alerts_open.count IS 'How many times it has happened.';
COMMENT ON COLUMN queue_worker.alerts_open.first_seen_at IS 'When it first happened.';
COMMENT ON COLUMN queue_worker.alerts_open.last_seen_at IS 'When it last happened.';
COMMENT ON COLUMN queue_worker.alerts_open.command IS 'The command that shows more.';
COMMENT ON COLUMN queue_worker.alerts_open.owner IS 'Who answers for the job.';
COMMENT ON COLUMN queue_worker.alerts_open.runbook IS 'Where it says what to do.';
COMMENT ON COLUMN queue_worker.alerts_open.told_at IS 'When a message last told of it; null if none has.';
COMMENT ON COLUMN queue_worker.alerts_open.untold IS 'How many times it has happened since.';
COMMENT ON COLUMN queue_worker.alerts_open.told_by IS 'The summary that tells of it in its place.';
COMMENT ON COLUMN queue_worker.alerts_open.waiting_deliveries IS 'Messages that some sink has not taken yet.';
COMMENT ON COLUMN queue_worker.alerts_open.undelivered IS 'Messages that were given up for some sink.';
COMMENT ON COLUMN queue_worker.alerts_open.fingerprint IS 'Its name, for queue_worker.resolve_alert().';
