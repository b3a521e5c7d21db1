SELECT pg_advisory_lock(hashtextextended('queue_worker.migrate', 0))
