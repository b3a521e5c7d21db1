SELECT pg_advisory_unlock(hashtextextended('queue_worker.retention', 0))
