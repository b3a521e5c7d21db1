-- The queues in which anything has ever been, one look into the index for each.
WITH RECURSIVE queue (name) AS (
    (SELECT queue_name FROM procrastinate_jobs ORDER BY queue_name LIMIT 1)
    UNION ALL
    SELECT following.queue_name
    FROM queue
    CROSS JOIN LATERAL (
        SELECT next.queue_name
        FROM procrastinate_jobs AS next
        WHERE next.queue_name > queue.name
        ORDER BY next.queue_name
        LIMIT 1
    ) AS following
)
SELECT name FROM queue
