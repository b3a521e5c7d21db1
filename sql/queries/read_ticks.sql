-- The database's clock, and for each job the newest of its ticks that is decided, and the next one
-- as it is published.
SELECT
    job.name,
    clock_timestamp(),
    (SELECT max(tick.due_at) FROM queue_worker.tick WHERE tick.job = job.name),
    (SELECT known.next_due_at FROM queue_worker.job AS known WHERE known.name = job.name)
FROM unnest(%(jobs)s::text[]) AS job (name)
