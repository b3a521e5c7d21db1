SELECT pg_try_advisory_lock(hashtextextended('queue_worker.lock.' || %(lock_key)s, 0))
