SELECT queue_worker.release_lock(%(lock_key)s, %(actor)s, %(reason)s) AS run_id
