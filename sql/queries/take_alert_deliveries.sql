-- What is due, with the next try set before the first: whoever dies now is not tried for ever. Of one
-- alert in the order of its messages: "resolved" must not overtake "raised".
WITH due AS (
    SELECT d.message_id, d.sink
    FROM queue_worker.alert_delivery AS d
    JOIN queue_worker.alert_message AS m USING (message_id)
    WHERE d.state = 'waiting' AND d.next_try_at <= clock_timestamp()
        AND NOT EXISTS (
            SELECT FROM queue_worker.alert_message AS earlier
            JOIN queue_worker.alert_delivery AS before
                ON before.message_id = earlier.message_id AND before.sink = d.sink
            WHERE earlier.fingerprint = m.fingerprint AND earlier.at < m.at
                AND before.state = 'waiting' AND before.next_try_at > clock_timestamp()
        )
    ORDER BY d.next_try_at
    LIMIT %(limit)s
    FOR UPDATE OF d SKIP LOCKED
), taken AS (
    UPDATE queue_worker.alert_delivery AS d
    SET tries = d.tries + 1,
        last_tried_at = clock_timestamp(),
        next_try_at = clock_timestamp()
            + make_interval(secs => least(%(first_wait)s * 2 ^ d.tries, %(longest_wait)s))
    FROM due
    WHERE d.message_id = due.message_id AND d.sink = due.sink
    RETURNING d.message_id, d.sink
)
SELECT
    t.sink, m.message_id::text AS id, m.kind, m.type::text, m.fingerprint, m.job, m.subject, m.summary,
    m.run_id, m.at, m.first_seen_at, m.last_seen_at, m.count, m.held_back, m.owner, m.runbook, m.command
FROM taken AS t
JOIN queue_worker.alert_message AS m USING (message_id)
ORDER BY t.sink, m.at, m.message_id
