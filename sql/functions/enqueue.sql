CREATE OR REPLACE FUNCTION queue_worker.enqueue(
    job           text,
    args          jsonb DEFAULT '{}',
    delay         interval DEFAULT NULL,
    priority      integer DEFAULT NULL,
    lock_key      text DEFAULT NULL,
    queueing_lock text DEFAULT NULL,
    reason        text DEFAULT 'enqueued from SQL'
) RETURNS bigint
    LANGUAGE plpgsql
    SECURITY DEFINER  -- as enqueue_job
    SET search_path FROM CURRENT
AS $$
DECLARE
    known  queue_worker.job;
    answer record;
BEGIN
    SELECT * INTO known FROM queue_worker.job AS j WHERE j.name = enqueue.job;
    IF known.name IS NULL THEN
        RAISE EXCEPTION 'Unknown job %', quote_literal(enqueue.job)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'SELECT name FROM queue_worker.job; lists the jobs that the workers know.';
    END IF;
    IF jsonb_typeof(enqueue.args) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'Arguments of job % are not a JSON object', quote_literal(enqueue.job)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give an object such as ''{"content_id": "c1"}''.';
    END IF;
    IF octet_length(enqueue.args::text) > 1000000 THEN
        RAISE EXCEPTION 'Arguments of job % are larger than 1,000,000 bytes', quote_literal(enqueue.job)
            USING ERRCODE = 'program_limit_exceeded',
                  HINT = 'Store the data in a table and pass its key.';
    END IF;
    IF octet_length(enqueue.lock_key) NOT BETWEEN 1 AND 512
       OR octet_length(enqueue.queueing_lock) NOT BETWEEN 1 AND 512 THEN
        RAISE EXCEPTION 'A lock of job % is not 1 to 512 bytes long', quote_literal(enqueue.job)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Choose a shorter key.';
    END IF;

    SELECT * INTO answer
      FROM queue_worker.enqueue_job(
               known.name, known.queue,
               coalesce(enqueue.priority, known.priority),
               coalesce(enqueue.lock_key, known.lock_key),
               enqueue.queueing_lock, enqueue.args,
               extract(epoch FROM enqueue.delay)::double precision, NULL, NULL);
    IF NOT answer.enqueued THEN
        RAISE NOTICE 'Not enqueued: job % of the same queueing lock still waits', answer.queue_job_id;
        RETURN answer.queue_job_id;
    END IF;

    PERFORM queue_worker.audit(
        session_user::text, 'job.enqueued', 'queue_job:' || answer.queue_job_id, enqueue.reason,
        jsonb_build_object('job', known.name));
    RETURN answer.queue_job_id;
END;
$$;

COMMENT ON FUNCTION queue_worker.enqueue(text, jsonb, interval, integer, text, text, text) IS
    'Enqueue one job from psql or another language; returns its queue job id. Arguments are checked against the job''s model when it runs. Example: SELECT queue_worker.enqueue(''retention'', delay => ''5 minutes'');';
