-- Beside enqueue_jobs, because to read a single job out of JSON takes a sixth of the whole call.
CREATE OR REPLACE FUNCTION queue_worker.enqueue_job(
    job              text,
    queue            text,
    priority         integer,
    lock_key         text,
    queueing_lock    text,
    args             jsonb,
    delay            double precision,
    run_at           timestamptz,
    trace            jsonb,
    OUT queue_job_id bigint,
    OUT enqueued     boolean
)
    LANGUAGE plpgsql
    SECURITY DEFINER  -- a role that may do nothing but enqueue has no right on any table
    SET search_path FROM CURRENT  -- of the migration: the caller's may not lead to procrastinate
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO procrastinate_jobs AS p (
           task_name, queue_name, priority, lock, queueing_lock, args, scheduled_at, queue_worker_trace)
    VALUES (enqueue_job.job, enqueue_job.queue, enqueue_job.priority, enqueue_job.lock_key,
            enqueue_job.queueing_lock, enqueue_job.args,
            coalesce(enqueue_job.run_at, clock_timestamp() + make_interval(secs => enqueue_job.delay)),
            enqueue_job.trace)
        ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
    RETURNING p.id INTO queue_job_id;

    enqueued := queue_job_id IS NOT NULL;
    IF NOT enqueued THEN
        queue_job_id := queue_worker.find_by_queueing_lock(enqueue_job.queueing_lock);
    END IF;
END;
$$;

COMMENT ON FUNCTION queue_worker.enqueue_job(text, text, integer, text, text, jsonb, double precision, timestamptz, jsonb) IS
    'Enqueue one job in the caller''s transaction; the delay is in seconds. Not enqueued means that the job of that queueing lock still waits (its id, where this transaction can see it). Used by the clients: for psql there is queue_worker.enqueue().';
