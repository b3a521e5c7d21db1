-- When each job is due next; of a schedule that is no longer the one published, nothing is written.
WITH upcoming AS (
    SELECT * FROM unnest(%(jobs)s::text[], %(schedules)s::text[], %(due_at)s::timestamptz[])
        AS u (name, schedule, due_at)
), changed AS (
    SELECT known.name, upcoming.due_at
    FROM queue_worker.job AS known
    JOIN upcoming USING (name, schedule)
    WHERE known.next_due_at IS DISTINCT FROM upcoming.due_at
    ORDER BY known.name  -- as publish_jobs does: no two workers wait for each other
    FOR UPDATE OF known
)
UPDATE queue_worker.job AS known
SET next_due_at = changed.due_at
FROM changed
WHERE known.name = changed.name
RETURNING known.name
