SELECT queue_worker.cancel_job(%(queue_job_id)s::bigint, %(actor)s, %(reason)s) AS what
