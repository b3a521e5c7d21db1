SELECT queue_job_id, attempt, job, what
FROM queue_worker.rescue_worker(%(dead_id)s, %(rescuer_id)s)
