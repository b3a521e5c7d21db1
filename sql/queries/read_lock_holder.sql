-- Who has claimed a run under this lock key.
SELECT coalesce(
    (
        SELECT format(
            'run %%s.%%s of job %%s on worker %%s (%%s, pid %%s)',
            held.id, held.attempts + 1, held.task_name, w.worker_id, w.host, w.pid
        )
        FROM procrastinate_jobs AS held
        LEFT JOIN queue_worker.worker AS w ON w.worker_id = held.worker_id
        WHERE held.id = queue_worker.find_by_lock_key(%(lock_key)s)
    ),
    'a run that has just ended'
)
