-- Rows that this worker has claimed without knowing it: the answer of a claim got lost. As in
-- return_runs, a queueing lock that another job took meanwhile is left to that one, and what somebody
-- has cancelled does not wait again. All workers are told, as their claims may begin behind them.
WITH returned AS (
    UPDATE procrastinate_jobs AS orphan
    SET status = CASE WHEN orphan.abort_requested THEN 'cancelled' ELSE 'todo'
                 END::procrastinate_job_status,
        worker_id = NULL,
        abort_requested = false,
        queueing_lock = CASE WHEN queue_worker.find_by_queueing_lock(orphan.queueing_lock) IS NULL
        THEN orphan.queueing_lock END
    WHERE orphan.worker_id = %(worker_id)s
        AND orphan.status = 'doing'
        AND orphan.id <> ALL (%(known)s::bigint[])
    RETURNING orphan.id
), told AS MATERIALIZED (
    SELECT queue_worker.wake_workers() WHERE EXISTS (SELECT FROM returned)
)
SELECT returned.id FROM returned LEFT JOIN told ON true
