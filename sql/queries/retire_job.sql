SELECT queue_worker.retire_job(%(name)s, %(actor)s, %(reason)s) AS what
