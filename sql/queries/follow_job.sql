-- Where a queued job stands: its row, which may be gone, and its latest recorded run.
SELECT
    queued.status::text AS status,
    (queued.scheduled_at > now()) AS is_later,
    run.run_id,
    run.outcome::text,
    run.error_class,
    run.error_message,
    run.retry_at,
    round(extract(epoch FROM run.finished_at - run.started_at) * 1000, 1)::double precision AS duration_ms,
    EXISTS (
        SELECT FROM queue_worker.worker AS w
        WHERE w.ended_at IS NULL
            AND w.kind = 'worker'
            AND w.last_heartbeat_at > now() - interval '15 seconds'
            AND (cardinality(w.queues) = 0 OR queued.queue_name = ANY (w.queues))
    ) AS is_served
FROM (SELECT %(queue_job_id)s::bigint AS id) AS wanted
LEFT JOIN procrastinate_jobs AS queued ON queued.id = wanted.id
LEFT JOIN LATERAL (
    SELECT * FROM queue_worker.run
    WHERE run.queue_job_id = wanted.id
    ORDER BY run.attempt DESC
    LIMIT 1
) AS run ON true
