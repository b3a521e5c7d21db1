-- Held for as long as the worker lives: the server lets go of it when the process is gone. Where an
-- earlier session of this worker still holds it, the server has not noticed that this one is cut
-- off: it is ended, and all its locks with it, and the lock can be had at the next try.
WITH wanted AS (
    SELECT hashtextextended('queue_worker.alive.' || %(worker_id)s::text, 0) AS hash
), taken AS MATERIALIZED (
    SELECT hash, pg_try_advisory_lock(hash) AS is_held FROM wanted
)
SELECT taken.is_held
FROM taken
LEFT JOIN LATERAL (
    SELECT pg_terminate_backend(earlier.pid) AS is_ended
    FROM pg_locks AS earlier
    WHERE NOT taken.is_held
        AND earlier.locktype = 'advisory'
        AND earlier.granted
        AND earlier.objsubid = 1
        AND earlier.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (earlier.classid::bigint << 32) | earlier.objid::bigint = taken.hash
    OFFSET 0
) AS ended ON ended.is_ended
