-- What of the queue has ended long ago. The ledger says when; a row without a run in it stays. What
-- was enqueued after the cutoff can't have ended before it, and the ledger is not asked.
SELECT
    count(*) AS rows,
    (SELECT count(*) FROM procrastinate_jobs) AS of_rows,
    min(ended.at) AS oldest,
    max(ended.at) AS newest,
    coalesce(sum(pg_column_size(j.*)), 0)::bigint AS bytes,
    max(j.id) AS upto_id,
    '{}'::text[] AS partitions
FROM procrastinate_jobs AS j
CROSS JOIN LATERAL (
    SELECT max(r.finished_at) AS at FROM queue_worker.run AS r WHERE r.queue_job_id = j.id
) AS ended
WHERE j.status::text = ANY (%(statuses)s)
    AND (j.queue_worker_enqueued_at IS NULL OR j.queue_worker_enqueued_at < %(cutoff)s)
    AND ended.at < %(cutoff)s
