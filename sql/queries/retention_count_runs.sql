-- What of the ledger is too old.
SELECT
    count(*) AS rows,
    (SELECT count(*) FROM queue_worker.run) AS of_rows,
    min(r.finished_at) AS oldest,
    max(r.finished_at) AS newest,
    coalesce(sum(pg_column_size(r.*)), 0)::bigint AS bytes,
    max(r.queue_job_id) AS upto_id,
    '{}'::text[] AS partitions
FROM queue_worker.run AS r
WHERE r.finished_at < %(cutoff)s
