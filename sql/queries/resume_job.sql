SELECT queue_worker.resume_job(%(name)s, %(actor)s, %(reason)s) AS what
