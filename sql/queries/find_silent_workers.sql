-- Workers whose alive lock nobody holds, or whose heartbeat has stopped. A worker that can't renew
-- its own heartbeat has no evidence against others. Sessions vanish all at once when the server
-- restarts, and when a standby takes its place: a server that has just started is no evidence either,
-- nor one that has been a standby, until somebody has held his alive lock there for as long.
SELECT
    w.worker_id,
    held.pid,
    extract(epoch FROM clock_timestamp() - w.last_heartbeat_at)::double precision
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
    AND pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => %(settle)s)
    AND CASE WHEN pg_last_xact_replay_timestamp() IS NULL THEN true ELSE EXISTS (
        SELECT FROM queue_worker.worker AS settled
        JOIN pg_locks AS kept
            ON kept.locktype = 'advisory'
            AND kept.granted
            AND kept.objsubid = 1
            AND kept.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (kept.classid::bigint << 32) | kept.objid::bigint
                = hashtextextended('queue_worker.alive.' || settled.worker_id, 0)
        JOIN pg_stat_activity AS since
            ON since.pid = kept.pid
            AND since.backend_start < clock_timestamp() - make_interval(secs => %(settle)s)
        WHERE settled.ended_at IS NULL
    ) END
    AND EXISTS (
        SELECT FROM queue_worker.worker AS me
        WHERE me.worker_id = %(worker_id)s
            AND me.ended_at IS NULL
            AND me.last_heartbeat_at > clock_timestamp() - make_interval(secs => %(fresh)s)
    )
