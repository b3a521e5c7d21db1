-- Alerts that have been over for long, and of which nothing is left to be told. What they told by then
-- goes first, by a policy of its own.
SELECT
    count(*) AS rows,
    (SELECT count(*) FROM queue_worker.alert) AS of_rows,
    min(a.resolved_at) AS oldest,
    max(a.resolved_at) AS newest,
    coalesce(sum(pg_column_size(a.*)), 0)::bigint AS bytes,
    NULL::bigint AS upto_id,
    '{}'::text[] AS partitions
FROM queue_worker.alert AS a
WHERE a.state = 'resolved' AND a.resolved_at < %(cutoff)s AND a.untold = 0 AND NOT a.is_told
    AND NOT EXISTS (
        SELECT
        FROM queue_worker.alert_message AS m
        WHERE m.fingerprint = a.fingerprint AND (
            m.at >= %(cutoff)s
            OR EXISTS (
                SELECT
                FROM queue_worker.alert_delivery AS d
                WHERE d.message_id = m.message_id AND d.state = 'waiting'
            )
        )
    )
