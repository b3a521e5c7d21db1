-- One batch of a step, and how far it has come: the next alerts that have been over for long and have
-- no message left. One that is open again by now stays.
WITH step AS MATERIALIZED (
    SELECT
        s.cutoff,
        coalesce(s.last_at, '-infinity') AS last_at,
        least(%(batch_rows)s, s.rows - s.removed) AS most
    FROM queue_worker.retention_step AS s
    WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
), batch AS MATERIALIZED (
    SELECT a.fingerprint, a.resolved_at
    FROM queue_worker.alert AS a
    WHERE a.state = 'resolved' AND a.resolved_at < (SELECT cutoff FROM step)
        AND a.resolved_at >= (SELECT last_at FROM step) AND a.untold = 0 AND NOT a.is_told
        AND NOT EXISTS (
            SELECT FROM queue_worker.alert_message AS m WHERE m.fingerprint = a.fingerprint
        )
    ORDER BY a.resolved_at
    LIMIT (SELECT most FROM step)
    FOR UPDATE OF a SKIP LOCKED
), deleted AS (
    DELETE FROM queue_worker.alert AS a
    WHERE a.fingerprint IN (SELECT fingerprint FROM batch)
    RETURNING a.fingerprint
)
UPDATE queue_worker.retention_step AS s
SET removed = s.removed + (SELECT count(*) FROM deleted),
    batches = s.batches + 1,
    last_at = upto.at
FROM (SELECT max(resolved_at) AS at FROM batch HAVING count(*) > 0) AS upto
WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
RETURNING s.removed, s.rows
