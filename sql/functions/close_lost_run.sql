-- Where a job with the same queueing lock waits already, that one does the work; under a savepoint,
-- so that this does not stop the others that are closed in the same transaction.
CREATE OR REPLACE FUNCTION queue_worker.close_lost_run(
    held procrastinate_jobs, worker_id bigint, because text
) RETURNS text
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    restartable boolean := EXISTS (SELECT FROM queue_worker.job AS known
                                    WHERE known.name = held.task_name AND known.restartable);
    losses      integer := held.queue_worker_losses + 1;
    decision    text := CASE WHEN NOT restartable OR held.abort_requested THEN 'failed'
                             WHEN losses >= 3 THEN 'quarantined'
                             ELSE 'restarted' END;
BEGIN
    BEGIN
        UPDATE procrastinate_jobs AS p
           SET status = CASE WHEN decision = 'restarted' THEN 'todo' ELSE 'failed'
                        END::procrastinate_job_status,
               attempts = p.attempts + 1,
               abort_requested = false,
               worker_id = NULL,
               queue_worker_losses = losses,
               queue_worker_restarts = p.queue_worker_restarts + (decision = 'restarted')::integer,
               scheduled_at = CASE WHEN decision = 'restarted' THEN NULL
                                   ELSE p.scheduled_at END
         WHERE p.id = held.id;
    EXCEPTION WHEN unique_violation THEN
        decision := 'failed';
        UPDATE procrastinate_jobs AS p
           SET status = 'failed', attempts = p.attempts + 1, abort_requested = false,
               worker_id = NULL
         WHERE p.id = held.id;
    END;
    INSERT INTO queue_worker.run (
        queue_job_id, attempt, job, outcome, queue, lock_key, worker_id, due_at,
        enqueued_at, enqueued_by, started_at, finished_at, error_class, error_message, retry_at)
    VALUES (
        held.id, held.attempts + 1, held.task_name, 'lost', held.queue_name, held.lock,
        close_lost_run.worker_id, held.queue_worker_due_at,
        coalesce(held.queue_worker_enqueued_at, held.queue_worker_claimed_at, clock_timestamp()),
        coalesce(held.queue_worker_enqueued_by, 'unknown'),
        least(coalesce(held.queue_worker_claimed_at, clock_timestamp()), clock_timestamp()),
        clock_timestamp(),
        CASE decision WHEN 'quarantined' THEN 'Quarantined' ELSE 'WorkerLost' END,
        format('%s; %s', because,
               CASE decision
                   WHEN 'restarted' THEN 'back in the queue, as the job is restartable'
                   WHEN 'quarantined' THEN 'not run again: it was lost ' || losses || ' times'
                   ELSE 'not run again' END),
        CASE decision WHEN 'restarted' THEN clock_timestamp() END)
    ON CONFLICT DO NOTHING;
    RETURN decision;
END;
$$;

COMMENT ON FUNCTION queue_worker.close_lost_run(procrastinate_jobs, bigint, text) IS
    'Close one claimed run whose worker is gone: it is lost. Returns failed, restarted if the job is restartable, or quarantined if it was lost three times. What calls it knows that the worker is gone.';
