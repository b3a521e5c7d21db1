-- One statement for one job or for thousands. Without queueing locks nothing can clash: the items are
-- inserted in their order, for a fifth less. With them ids are drawn before the insert, so that each
-- item gets its own answer; a clash skips that item alone. The inserts go by queueing lock, so that two
-- batches with the same ones wait for each other instead of deadlocking.
CREATE OR REPLACE FUNCTION queue_worker.enqueue_jobs(batch jsonb)
    RETURNS TABLE (item integer, queue_job_id bigint, enqueued boolean)
    LANGUAGE plpgsql
    SECURITY DEFINER  -- a role that may do nothing but enqueue has no right on any table
    SET search_path FROM CURRENT  -- of the migration: the caller's may not lead to procrastinate
AS $$
BEGIN
    IF NOT jsonb_path_exists(batch, '$[*].queueing_lock ? (@ != null)') THEN
        RETURN QUERY
        WITH inserted AS (
            INSERT INTO procrastinate_jobs (
                   task_name, queue_name, priority, lock, args,
                   scheduled_at, queue_worker_due_at, queue_worker_trace)
            SELECT w.job, w.queue, w.priority, w.lock_key, w.args,
                   coalesce(w.run_at, clock_timestamp() + make_interval(secs => w.delay)), w.due_at, w.trace
              FROM jsonb_to_recordset(batch) AS w (
                   job text, queue text, priority integer, lock_key text,
                   args jsonb, delay double precision, run_at timestamptz, due_at timestamptz, trace jsonb)
            RETURNING procrastinate_jobs.id
        )
        SELECT row_number() OVER ()::integer, i.id, true FROM inserted AS i;
        RETURN;
    END IF;

    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT row_number() OVER ()::integer AS item,
               nextval('procrastinate_jobs_id_seq') AS id,
               w.*
          FROM jsonb_to_recordset(batch) AS w (
               job text, queue text, priority integer, lock_key text, queueing_lock text,
               args jsonb, delay double precision, run_at timestamptz, due_at timestamptz, trace jsonb)
    ), inserted AS (
        INSERT INTO procrastinate_jobs (
               id, task_name, queue_name, priority, lock, queueing_lock, args,
               scheduled_at, queue_worker_due_at, queue_worker_trace)
        SELECT w.id, w.job, w.queue, w.priority, w.lock_key, w.queueing_lock, w.args,
               coalesce(w.run_at, clock_timestamp() + make_interval(secs => w.delay)), w.due_at, w.trace
          FROM wanted AS w
         ORDER BY w.queueing_lock, w.item
            ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
        RETURNING procrastinate_jobs.id, procrastinate_jobs.queueing_lock
    )
    SELECT w.item,
           CASE WHEN own.id IS NOT NULL THEN own.id
                WHEN earlier.id IS NOT NULL THEN earlier.id
                ELSE queue_worker.find_by_queueing_lock(w.queueing_lock) END,
           own.id IS NOT NULL
      FROM wanted AS w
      LEFT JOIN inserted AS own ON own.id = w.id
      LEFT JOIN inserted AS earlier ON earlier.queueing_lock = w.queueing_lock
     ORDER BY w.item;
END;
$$;

COMMENT ON FUNCTION queue_worker.enqueue_jobs(jsonb) IS
    'Enqueue an array of jobs in the caller''s transaction; answers each by its position. Not enqueued means that the job of that queueing lock still waits (its id, where this transaction can see it). Used by the clients: for psql there is queue_worker.enqueue().';
