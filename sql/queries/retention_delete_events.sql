-- One batch of a step, and how far it has come: the next stretch of days that are final, by key, and
-- of it what the plan has counted.
WITH step AS MATERIALIZED (
    SELECT
        s.seen,
        coalesce(s.last_at, '-infinity') AS last_at,
        coalesce(s.last_id, 0) AS last_id,
        least(%(batch_rows)s, s.rows - s.removed) AS most,
        least(s.cutoff, w.events_kept_from::timestamp AT TIME ZONE 'UTC') AS cutoff
    FROM queue_worker.retention_step AS s, content_pipeline.aggregation_watermark AS w
    WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
), stretch AS (
    SELECT
        e.occurred_at,
        e.id,
        row_number() OVER in_order AS number,
        sum(e.size) OVER in_order AS bytes
    FROM (
        SELECT e.occurred_at, e.id, pg_column_size(e.*) AS size
        FROM content_pipeline.analytics_event AS e
        WHERE e.occurred_at >= (SELECT last_at FROM step)
            AND e.occurred_at < (SELECT cutoff FROM step)
            AND (e.occurred_at, e.id) > ((SELECT last_at FROM step), (SELECT last_id FROM step))
        ORDER BY e.occurred_at, e.id
        LIMIT (SELECT most FROM step)
    ) AS e
    WINDOW in_order AS (ORDER BY e.occurred_at, e.id)
), upto AS MATERIALIZED (
    SELECT occurred_at, id
    FROM stretch
    WHERE number = 1 OR bytes <= %(batch_bytes)s
    ORDER BY number DESC
    LIMIT 1
), deleted AS (
    DELETE FROM content_pipeline.analytics_event AS e
    WHERE e.occurred_at >= (SELECT last_at FROM step)
        AND e.occurred_at <= (SELECT occurred_at FROM upto)
        AND (e.occurred_at, e.id) > ((SELECT last_at FROM step), (SELECT last_id FROM step))
        AND (e.occurred_at, e.id) <= ((SELECT occurred_at FROM upto), (SELECT id FROM upto))
        AND pg_visible_in_snapshot(e.transaction_id, (SELECT seen FROM step))
    RETURNING e.id
)
UPDATE queue_worker.retention_step AS s
SET removed = s.removed + (SELECT count(*) FROM deleted),
    batches = s.batches + 1,
    last_at = upto.occurred_at,
    last_id = upto.id
FROM upto
WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
RETURNING s.removed, s.rows
