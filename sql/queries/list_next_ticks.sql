SELECT
    name AS job, schedule, next_due_at,
    extract(epoch FROM next_due_at - clock_timestamp())::double precision AS due_in,
    queue_worker.find_pause(name, queue) IS NOT NULL AS is_paused
FROM queue_worker.job
WHERE next_due_at IS NOT NULL
ORDER BY next_due_at, name
LIMIT %(limit)s
