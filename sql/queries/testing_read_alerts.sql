SELECT
    m.message_id::text AS id, m.kind, m.type::text, m.fingerprint, m.job, m.subject, m.summary, m.run_id,
    m.at, m.first_seen_at, m.last_seen_at, m.count, m.held_back, m.owner, m.runbook, m.command
FROM queue_worker.alert_message AS m
ORDER BY m.at, m.message_id
