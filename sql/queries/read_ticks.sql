-- The database's clock, and for each job the newest of its ticks that is decided.
SELECT
    job.name,
    clock_timestamp(),
    (SELECT max(tick.due_at) FROM queue_worker.tick WHERE tick.job = job.name)
FROM unnest(%(jobs)s::text[]) AS job (name)
