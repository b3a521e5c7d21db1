-- Whose session holds the advisory lock of this lock key: a worker's, if it holds the lock that says
-- that a worker is alive as well.
WITH held AS (
    SELECT pid, (classid::bigint << 32) | objid::bigint AS hash
    FROM pg_locks
    WHERE locktype = 'advisory'
        AND granted
        AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT coalesce(
    (
        SELECT CASE
            WHEN w.worker_id IS NULL
                THEN format('backend %%s (%%s)', holder.pid, session.application_name)
            ELSE format('worker %%s (%%s, pid %%s)', w.worker_id, w.host, w.pid)
        END
        FROM held AS holder
        LEFT JOIN pg_stat_activity AS session ON session.pid = holder.pid
        LEFT JOIN (
            queue_worker.worker AS w
            JOIN held AS alive
                ON alive.hash = hashtextextended('queue_worker.alive.' || w.worker_id, 0)
        ) ON alive.pid = holder.pid AND w.ended_at IS NULL
        WHERE holder.hash = hashtextextended('queue_worker.lock.' || %(lock_key)s, 0)
        LIMIT 1
    ),
    'a session that has just ended'
)
