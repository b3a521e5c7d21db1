SELECT queue_worker.resume_queue(%(name)s, %(actor)s, %(reason)s) AS what
