-- An attempt that stands in the ledger is never used again, also one that was cancelled before it ran.
CREATE OR REPLACE FUNCTION queue_worker.return_to_queue(job procrastinate_jobs) RETURNS text
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    twin text := queue_worker.find_twin(return_to_queue.job);
BEGIN
    IF twin IS NULL THEN
        UPDATE procrastinate_jobs AS j
           SET status = 'todo',
               worker_id = NULL,
               scheduled_at = NULL,
               abort_requested = false,
               queue_worker_losses = 0,
               attempts = greatest(j.attempts, (
                   SELECT max(r.attempt) FROM queue_worker.run AS r WHERE r.queue_job_id = j.id))
         WHERE j.id = (return_to_queue.job).id;
    END IF;
    RETURN twin;
EXCEPTION WHEN unique_violation THEN
    RETURN 'a job of the same queueing lock waits already';
END;
$$;

COMMENT ON FUNCTION queue_worker.return_to_queue(procrastinate_jobs) IS
    'Let a job that has ended wait again, for its next attempt; returns why it can''t, or null. What calls it has locked the row and decided that it may.';
