-- One batch of a step, and how far it has come: the next messages of alerts that are over. Their
-- deliveries go along.
WITH step AS MATERIALIZED (
    SELECT
        s.cutoff,
        coalesce(s.last_at, '-infinity') AS last_at,
        least(%(batch_rows)s, s.rows - s.removed) AS most
    FROM queue_worker.retention_step AS s
    WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
), stretch AS (
    SELECT
        m.message_id,
        m.at,
        row_number() OVER in_order AS number,
        sum(m.size) OVER in_order AS bytes
    FROM (
        SELECT m.message_id, m.at, pg_column_size(m.*) AS size
        FROM queue_worker.alert_message AS m
        WHERE m.at >= (SELECT last_at FROM step)
            AND m.at < (SELECT cutoff FROM step)
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
        ORDER BY m.at, m.message_id
        LIMIT (SELECT most FROM step)
    ) AS m
    WINDOW in_order AS (ORDER BY m.at, m.message_id)
), batch AS MATERIALIZED (
    SELECT message_id, at
    FROM stretch
    WHERE number = 1 OR bytes <= %(batch_bytes)s
), deleted AS (
    DELETE FROM queue_worker.alert_message AS m
    WHERE m.message_id IN (SELECT message_id FROM batch)
    RETURNING m.message_id
)
UPDATE queue_worker.retention_step AS s
SET removed = s.removed + (SELECT count(*) FROM deleted),
    batches = s.batches + 1,
    last_at = upto.at
FROM (SELECT max(at) AS at FROM batch HAVING count(*) > 0) AS upto
WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
RETURNING s.removed, s.rows
