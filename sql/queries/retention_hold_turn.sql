-- Held by the session: whoever else tries is told at once.
SELECT pg_try_advisory_lock(hashtextextended('queue_worker.retention', 0))
