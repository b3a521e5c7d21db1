-- What was told long ago, of alerts that are over, and waits for no sink.
SELECT
    count(*) AS rows,
    (SELECT count(*) FROM queue_worker.alert_message) AS of_rows,
    min(m.at) AS oldest,
    max(m.at) AS newest,
    coalesce(sum(pg_column_size(m.*)), 0)::bigint AS bytes,
    NULL::bigint AS upto_id,
    '{}'::text[] AS partitions
FROM queue_worker.alert_message AS m
WHERE m.at < %(cutoff)s
    AND NOT EXISTS (
        SELECT
        FROM queue_worker.alert_delivery AS d
        WHERE d.message_id = m.message_id AND d.state = 'waiting'
    )
    AND NOT EXISTS (
        SELECT
        FROM queue_worker.alert AS a
        WHERE a.fingerprint = m.fingerprint AND a.state = 'open'
    )
