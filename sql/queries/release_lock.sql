SELECT pg_advisory_unlock(hashtextextended('queue_worker.lock.' || %(lock_key)s, 0))
