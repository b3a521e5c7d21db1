SELECT item, queue_job_id, enqueued
FROM queue_worker.enqueue_jobs(CAST(%(batch)s AS jsonb))
