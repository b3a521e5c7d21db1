-- Rows that this worker has claimed without knowing it: the answer of a claim got lost. As in
-- return_runs, a queueing lock that another job took meanwhile is left to that one.
UPDATE procrastinate_jobs AS orphan
SET status = 'todo',
    worker_id = NULL,
    abort_requested = false,
    queueing_lock = CASE WHEN NOT EXISTS (
        SELECT FROM procrastinate_jobs AS twin
        WHERE twin.queueing_lock = orphan.queueing_lock AND twin.status = 'todo'
    ) THEN orphan.queueing_lock END
WHERE orphan.worker_id = %(worker_id)s
    AND orphan.status = 'doing'
    AND orphan.id <> ALL (%(known)s::bigint[])
RETURNING orphan.id
