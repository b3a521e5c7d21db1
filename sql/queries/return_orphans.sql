-- Rows that this worker has claimed without knowing it: the answer of a claim got lost.
UPDATE procrastinate_jobs AS orphan
SET status = 'todo', worker_id = NULL, abort_requested = false
WHERE orphan.worker_id = %(worker_id)s
    AND orphan.status = 'doing'
    AND orphan.id <> ALL (%(known)s::bigint[])
RETURNING orphan.id
