-- Given back when the session of the demo ends.
SELECT pg_try_advisory_lock(hashtextextended('queue_worker.demo', 0))
