-- Queue rows and ledger in one statement. The fence: a row that is no longer this worker's, in
-- this attempt, is not touched, and returned: record_refused_runs says what came of it.
WITH ended AS (
    SELECT *
    FROM unnest(
        %(queue_job_id)s::bigint[],
        %(attempt)s::integer[],
        %(outcome)s::queue_worker.outcome[],
        %(status)s::procrastinate_job_status[],
        %(started_after)s::bigint[],
        %(finished_after)s::bigint[],
        -- shorter than the others where nothing went wrong: the rest is null
        %(error_class)s::text[],
        %(error_message)s::text[],
        %(traceback)s::text[],
        %(retry_wait)s::double precision[]
    ) AS e (
        queue_job_id, attempt, outcome, status, started_after, finished_after,
        error_class, error_message, traceback, retry_wait
    )
), closed AS (
    UPDATE procrastinate_jobs AS j
    SET status = CASE
            WHEN ended.status = 'todo' AND (
                j.abort_requested  -- somebody has cancelled it for good
                OR queue_worker.find_by_queueing_lock(j.queueing_lock) IS NOT NULL
            ) THEN 'failed'  -- the job that waits already does the work
            ELSE ended.status
        END,
        attempts = ended.attempt,
        abort_requested = false,
        worker_id = NULL,
        scheduled_at = CASE
            WHEN ended.status = 'todo' THEN clock_timestamp() + make_interval(secs => ended.retry_wait)
            ELSE j.scheduled_at
        END,
        queue_worker_restarts = j.queue_worker_restarts
            + (ended.status = 'todo' AND ended.outcome IN ('lost', 'cancelled'))::integer,
        queue_worker_losses = j.queue_worker_losses + (ended.outcome = 'lost')::integer
    FROM ended
    WHERE j.id = ended.queue_job_id
        -- said so that no index but that of the key fits, whatever the statistics
        AND j.status BETWEEN 'doing' AND 'doing'
        AND j.worker_id IS NOT DISTINCT FROM %(worker_id)s
        AND j.attempts = ended.attempt - 1
    RETURNING
        j.id, j.task_name, j.queue_name, j.lock, j.status, j.scheduled_at, j.queue_worker_due_at,
        j.queue_worker_enqueued_at, j.queue_worker_enqueued_by, j.queue_worker_claimed_at,
        ended.attempt, ended.outcome, ended.started_after, ended.finished_after,
        ended.error_class, ended.error_message, ended.traceback
), written AS (
    INSERT INTO queue_worker.run (
        queue_job_id, attempt, job, outcome, queue, lock_key, due_at, enqueued_at, enqueued_by, worker_id,
        started_at, finished_at, error_class, error_message, traceback, retry_at
    )
    SELECT
        id, attempt, task_name, outcome, queue_name, lock, queue_worker_due_at,
        coalesce(queue_worker_enqueued_at, queue_worker_claimed_at),
        coalesce(queue_worker_enqueued_by, 'unknown'),
        %(worker_id)s,
        least(
            queue_worker_claimed_at + started_after * interval '1 microsecond', clock_timestamp()
        ),
        least(
            queue_worker_claimed_at + finished_after * interval '1 microsecond', clock_timestamp()
        ),
        error_class, error_message, traceback,
        CASE WHEN status = 'todo' THEN scheduled_at END
    FROM closed
    ON CONFLICT (queue_job_id, attempt) DO NOTHING
)
SELECT queue_job_id, attempt FROM ended
EXCEPT
SELECT id, attempt FROM closed
