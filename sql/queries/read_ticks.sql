-- The database's clock, and for each job the moment after which its ticks are not decided yet.
SELECT
    known.name,
    clock_timestamp(),
    coalesce(
        (SELECT max(tick.due_at) FROM queue_worker.tick WHERE tick.job = known.name),
        known.first_seen_at
    )
FROM queue_worker.job AS known
WHERE known.name = ANY (%(jobs)s::text[])
