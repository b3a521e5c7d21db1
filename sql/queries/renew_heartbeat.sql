-- Both rows or none: no row means that somebody declared this worker dead. Beside it, its place among
-- the living that serve the same queues and know the same jobs, how many the living are, and which of
-- its runs somebody has cancelled, with who and why.
WITH renewed AS (
    UPDATE procrastinate_workers SET last_heartbeat = now()
    WHERE id = %(worker_id)s
    RETURNING id
), me AS (
    UPDATE queue_worker.worker AS w
    SET last_heartbeat_at = clock_timestamp()
    FROM renewed
    WHERE w.worker_id = renewed.id AND w.ended_at IS NULL
    RETURNING w.worker_id, w.kind, w.queues, w.registry_digest
)
SELECT
    count(*) FILTER (
        WHERE living.kind = me.kind AND living.queues = me.queues
            AND living.registry_digest = me.registry_digest AND living.worker_id < me.worker_id
    ),
    count(*) FILTER (
        WHERE living.kind = me.kind AND living.queues = me.queues
            AND living.registry_digest = me.registry_digest
    ),
    count(*),
    (
        SELECT json_object_agg(held.id, coalesce(
            (
                SELECT format('cancelled by %%s: %%s', a.actor, a.reason)
                FROM queue_worker.audit_log AS a
                WHERE a.subject = 'queue_job:' || held.id AND a.action = 'job.cancelled'
                ORDER BY a.at DESC
                LIMIT 1
            ),
            'cancelled through procrastinate'
        ))
        FROM procrastinate_jobs AS held
        WHERE held.worker_id = %(worker_id)s AND held.abort_requested AND held.status = 'doing'
    )
FROM me
JOIN queue_worker.worker AS living ON living.ended_at IS NULL
GROUP BY me.worker_id
