-- Workers whose alive lock nobody holds, or whose heartbeat has stopped. Sessions vanish all at once
-- when the server restarts: a server that has just started is no evidence against anybody.
SELECT
    w.worker_id,
    held.pid,
    extract(epoch FROM clock_timestamp() - w.last_heartbeat_at)::double precision,
    clock_timestamp() - pg_postmaster_start_time() < interval '10 seconds'
FROM queue_worker.worker AS w
LEFT JOIN pg_locks AS held
    ON held.locktype = 'advisory'
    AND held.granted
    AND held.objsubid = 1
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (held.classid::bigint << 32) | held.objid::bigint
        = hashtextextended('queue_worker.alive.' || w.worker_id, 0)
WHERE w.ended_at IS NULL
    AND w.worker_id <> %(worker_id)s
    AND (
        held.pid IS NULL
        OR w.last_heartbeat_at < clock_timestamp() - make_interval(secs => %(frozen)s)
    )
