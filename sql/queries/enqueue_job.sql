SELECT queue_job_id, enqueued
FROM queue_worker.enqueue_job(
    CAST(%(job)s AS text), CAST(%(queue)s AS text), CAST(%(priority)s AS integer),
    CAST(%(lock_key)s AS text), CAST(%(queueing_lock)s AS text), CAST(%(args)s AS jsonb),
    CAST(%(delay)s AS double precision), CAST(CAST(%(run_at)s AS text) AS timestamptz), CAST(%(trace)s AS jsonb))
