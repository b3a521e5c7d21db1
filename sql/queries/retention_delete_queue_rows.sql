-- One batch of a step, and how far it has come: the next rows of the queue that have ended long ago.
-- Their events go along; the runs stay in the ledger.
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
        j.id,
        row_number() OVER in_order AS number,
        sum(j.size) OVER in_order AS bytes
    FROM (
        SELECT j.id, pg_column_size(j.*) AS size
        FROM procrastinate_jobs AS j
        CROSS JOIN LATERAL (
            SELECT max(r.finished_at) AS at FROM queue_worker.run AS r WHERE r.queue_job_id = j.id
        ) AS ended
        WHERE j.id > (SELECT last_id FROM step)
            AND j.id <= (SELECT upto_id FROM step)
            AND j.status::text = ANY (%(statuses)s)
            AND (
                j.queue_worker_enqueued_at IS NULL
                OR j.queue_worker_enqueued_at < (SELECT cutoff FROM step)
            )
            AND ended.at < (SELECT cutoff FROM step)
        ORDER BY j.id
        LIMIT (SELECT most FROM step)
    ) AS j
    WINDOW in_order AS (ORDER BY j.id)
), batch AS MATERIALIZED (
    SELECT id
    FROM stretch
    WHERE number = 1 OR bytes <= %(batch_bytes)s
), deleted AS (
    DELETE FROM procrastinate_jobs AS j
    WHERE j.id = ANY (ARRAY(SELECT id FROM batch))
        AND j.status::text = ANY (%(statuses)s)  -- somebody may have had it tried again
    RETURNING j.id
)
UPDATE queue_worker.retention_step AS s
SET removed = s.removed + (SELECT count(*) FROM deleted),
    batches = s.batches + 1,
    last_id = upto.id
FROM (SELECT max(id) AS id FROM batch HAVING count(*) > 0) AS upto
WHERE s.plan_id = %(plan_id)s AND s.policy = %(policy)s
RETURNING s.removed, s.rows
