-- The workers of plain procrastinate that live; they don't say which version they are of.
SELECT p.id
FROM procrastinate_workers AS p
WHERE p.last_heartbeat > clock_timestamp() - make_interval(secs => %(silence)s)
    AND to_jsonb(p.id) NOT IN (
        SELECT to_jsonb(w.worker_id) FROM queue_worker.worker AS w WHERE w.ended_at IS NULL
    )
ORDER BY p.id
