SELECT queue_worker.pause_queue(%(name)s, %(actor)s, %(reason)s) AS what
