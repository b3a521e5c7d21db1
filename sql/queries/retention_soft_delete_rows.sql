-- One batch of a step, and how far it has come: the oldest rows that are still in use.
WITH step AS MATERIALIZED (
    SELECT
        {cutoff} AS cutoff,
        {last} AS last_at,
        p.started_at,
        least(%(batch_rows)s, s.rows - s.removed) AS most
    FROM queue_worker.retention_step AS s
    JOIN queue_worker.retention_plan AS p USING (plan_id)
    WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
), stretch AS (
    SELECT
        t.place,
        t.at,
        row_number() OVER in_order AS number,
        sum(t.size) OVER in_order AS bytes
    FROM (
        SELECT t.ctid AS place, t.{column} AS at, pg_column_size(t.*) AS size
        FROM {table} AS t
        WHERE t.{column} < (SELECT cutoff FROM step)
            AND t.{column} >= (SELECT last_at FROM step)
            AND isfinite(t.{column})
            AND t.deleted_at IS NULL
        ORDER BY t.{column}
        LIMIT (SELECT most FROM step)
        FOR UPDATE
    ) AS t
    WINDOW in_order AS (ORDER BY t.at, t.place)
), batch AS MATERIALIZED (
    SELECT place, at
    FROM stretch
    WHERE number = 1 OR bytes <= %(batch_bytes)s
), marked AS (
    UPDATE {table} AS t
    SET deleted_at = step.started_at
    FROM step
    WHERE t.ctid = ANY (ARRAY(SELECT place FROM batch)) AND t.deleted_at IS NULL
    RETURNING t.ctid
)
UPDATE queue_worker.retention_step AS s
SET removed = s.removed + (SELECT count(*) FROM marked),
    batches = s.batches + 1,
    last_at = upto.at
FROM (SELECT max({age}) AS at FROM batch AS t HAVING count(*) > 0) AS upto
WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
RETURNING s.removed, s.rows
