SELECT queue_worker.cancel_job(%(queue_job_id)s, %(actor)s, %(reason)s) AS what
