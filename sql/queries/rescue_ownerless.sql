SELECT queue_job_id, attempt, job, what
FROM queue_worker.rescue_ownerless(%(rescuer_id)s)
