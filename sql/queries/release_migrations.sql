SELECT pg_advisory_unlock(hashtextextended('queue_worker.migrate', 0))
