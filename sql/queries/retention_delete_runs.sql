-- One batch of a step, and how far it has come: the next runs of the ledger that are too old. Its
-- trigger looks at each of them again.
WITH step AS MATERIALIZED (
    SELECT
        s.cutoff,
        coalesce(s.last_id, 0) AS last_id,
        coalesce(s.upto_id, 0) AS upto_id,
        least(%(batch_rows)s, s.rows - s.removed) AS most
    FROM queue_worker.retention_step AS s
    WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
), stretch AS (
    SELECT
        r.place,
        r.queue_job_id,
        row_number() OVER in_order AS number,
        sum(r.size) OVER in_order AS bytes
    FROM (
        SELECT r.ctid AS place, r.queue_job_id, r.attempt, pg_column_size(r.*) AS size
        FROM queue_worker.run AS r
        WHERE r.queue_job_id >= (SELECT last_id FROM step)
            AND r.queue_job_id <= (SELECT upto_id FROM step)
            AND r.finished_at < (SELECT cutoff FROM step)
        ORDER BY r.queue_job_id, r.attempt
        LIMIT (SELECT most FROM step)
    ) AS r
    WINDOW in_order AS (ORDER BY r.queue_job_id, r.attempt)
), batch AS MATERIALIZED (
    SELECT place, queue_job_id
    FROM stretch
    WHERE number = 1 OR bytes <= %(batch_bytes)s
), deleted AS (
    DELETE FROM queue_worker.run AS r
    WHERE r.ctid = ANY (ARRAY(SELECT place FROM batch))
    RETURNING r.queue_job_id
)
UPDATE queue_worker.retention_step AS s
SET removed = s.removed + (SELECT count(*) FROM deleted),
    batches = s.batches + 1,
    last_id = upto.id
FROM (SELECT max(queue_job_id) AS id FROM batch HAVING count(*) > 0) AS upto
WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
RETURNING s.removed, s.rows
