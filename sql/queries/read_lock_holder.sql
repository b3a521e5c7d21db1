-- Who runs under this lock key: the claimed row that a worker works on, or else the session that
-- holds the advisory lock.
WITH wanted AS (
    SELECT hashtextextended('queue_worker.lock.' || %(lock_key)s, 0) AS hash
)
SELECT coalesce(
    (
        SELECT format(
            'run %%s.%%s of job %%s on worker %%s (%%s, pid %%s)',
            held.id, held.attempts + 1, held.task_name, w.worker_id, w.host, w.pid
        )
        FROM procrastinate_jobs AS held
        JOIN queue_worker.worker AS w ON w.worker_id = held.worker_id
        WHERE held.lock = %(lock_key)s AND held.status = 'doing'
    ),
    (
        SELECT format('backend %%s (%%s)', held.pid, session.application_name)
        FROM wanted
        JOIN pg_locks AS held
            ON held.locktype = 'advisory'
            AND held.objsubid = 1
            AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND held.classid::bigint = (wanted.hash >> 32) & 4294967295
            AND held.objid::bigint = wanted.hash & 4294967295
        LEFT JOIN pg_stat_activity AS session ON session.pid = held.pid
        WHERE held.granted
        LIMIT 1
    ),
    'a run that has just ended'
)
