-- Held for as long as the worker lives: the server lets go of it when the process is gone.
SELECT pg_try_advisory_lock(hashtextextended('queue_worker.alive.' || %(worker_id)s::text, 0))
