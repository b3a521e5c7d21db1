SELECT queue_worker.pause_job(%(name)s, %(actor)s, %(reason)s) AS what
