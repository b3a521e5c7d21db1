DROP VIEW IF EXISTS queue_worker.workers;

CREATE VIEW queue_worker.workers AS
WITH held AS MATERIALIZED (  -- the locks of this database, read once
    SELECT (classid::bigint << 32) | objid::bigint AS hash, pid
    FROM pg_locks
    WHERE locktype = 'advisory'
        AND granted
        AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT
    w.worker_id,
    w.host,
    w.pid,
    w.kind,
    CASE
        WHEN held.pid IS NULL AND NOT pg_is_in_recovery() THEN 'cut off'  -- a standby has no locks
        WHEN w.last_heartbeat_at < clock_timestamp() - interval '8 seconds' THEN 'silent'
        ELSE 'alive'
    END AS state,
    (
        SELECT count(*) FROM procrastinate_jobs AS claimed
        WHERE claimed.worker_id = w.worker_id AND claimed.status = 'doing'
    ) AS runs,
    w.concurrency,
    w.queues,
    clock_timestamp() - w.last_heartbeat_at AS silent_for,
    clock_timestamp() - w.started_at AS up_for,
    w.started_at,
    w.last_heartbeat_at,
    w.version,
    w.registry_digest,
    held.pid AS session_pid
FROM queue_worker.worker AS w
LEFT JOIN held ON held.hash = hashtextextended('queue_worker.alive.' || w.worker_id, 0)
WHERE w.ended_at IS NULL;

COMMENT ON VIEW queue_worker.workers IS
    'The processes that have not ended, and whether they live. The table queue_worker.worker keeps the ended ones too.';
COMMENT ON COLUMN queue_worker.workers.worker_id IS 'The worker.';
COMMENT ON COLUMN queue_worker.workers.host IS 'The host it runs on.';
COMMENT ON COLUMN queue_worker.workers.pid IS 'Its process id on that host.';
COMMENT ON COLUMN queue_worker.workers.kind IS 'worker: serves queues; inline: carries out one run and ends.';
COMMENT ON COLUMN queue_worker.workers.state IS
    'alive; silent: no heartbeat for eight seconds; cut off: nobody holds its lock that means alive, another worker will close its runs (a standby can''t tell).';
COMMENT ON COLUMN queue_worker.workers.runs IS 'How many runs it has claimed.';
COMMENT ON COLUMN queue_worker.workers.concurrency IS 'How many it may execute at once.';
COMMENT ON COLUMN queue_worker.workers.queues IS 'The queues it serves; empty means all.';
COMMENT ON COLUMN queue_worker.workers.silent_for IS 'How long ago its last heartbeat was.';
COMMENT ON COLUMN queue_worker.workers.up_for IS 'How long ago it started.';
COMMENT ON COLUMN queue_worker.workers.started_at IS 'When it started.';
COMMENT ON COLUMN queue_worker.workers.last_heartbeat_at IS 'When it last said that it is alive.';
COMMENT ON COLUMN queue_worker.workers.version IS 'The version of queue_worker it runs.';
COMMENT ON COLUMN queue_worker.workers.registry_digest IS 'Fingerprint of the jobs it knows; workers of one deploy have the same.';
COMMENT ON COLUMN queue_worker.workers.session_pid IS 'The server process of its lock session; null if it is cut off.';
