DROP VIEW IF EXISTS queue_worker.held_locks;

CREATE VIEW queue_worker.held_locks AS
WITH held AS MATERIALIZED (  -- the locks of this database, read once
    SELECT (classid::bigint << 32) | objid::bigint AS hash, pid
    FROM pg_locks
    WHERE locktype = 'advisory'
        AND granted
        AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), claimed AS (
    SELECT * FROM procrastinate_jobs WHERE status = 'doing' AND lock IS NOT NULL
), keys AS (  -- a lock does not say its key: those that are known are asked
    SELECT lock AS lock_key FROM claimed
    UNION
    SELECT lock_key FROM queue_worker.job WHERE lock_key IS NOT NULL
)
SELECT
    keys.lock_key,
    claimed.task_name AS job,
    claimed.id || '.' || (claimed.attempts + 1) AS run_id,
    clock_timestamp() - claimed.queue_worker_claimed_at AS held_for,
    claimed.id IS NOT NULL AS is_claimed,
    held.pid IS NOT NULL AS is_locked,
    (
        SELECT count(*)
        FROM (
            SELECT FROM procrastinate_jobs AS ready
            WHERE ready.lock = keys.lock_key AND ready.status <= 'todo' AND ready.scheduled_at IS NULL
            UNION ALL
            SELECT FROM procrastinate_jobs AS later
            WHERE later.lock = keys.lock_key AND later.status <= 'todo' AND later.scheduled_at IS NOT NULL
            LIMIT 1000
        ) AS waiting  -- the conditions are those of two indexes
    ) AS waiting,
    w.worker_id,
    w.host,
    w.pid,
    held.pid AS session_pid
FROM keys
LEFT JOIN claimed ON claimed.lock = keys.lock_key
LEFT JOIN held ON held.hash = hashtextextended('queue_worker.lock.' || keys.lock_key, 0)
LEFT JOIN queue_worker.worker AS w ON w.worker_id = claimed.worker_id
WHERE claimed.id IS NOT NULL OR held.pid IS NOT NULL;

COMMENT ON VIEW queue_worker.held_locks IS
    'Which lock keys are held now, by which run, and how many wait for them.';
COMMENT ON COLUMN queue_worker.held_locks.lock_key IS 'The lock key.';
COMMENT ON COLUMN queue_worker.held_locks.job IS 'The job whose run has claimed it; null if none has.';
COMMENT ON COLUMN queue_worker.held_locks.run_id IS 'That run.';
COMMENT ON COLUMN queue_worker.held_locks.held_for IS 'How long ago it was claimed.';
COMMENT ON COLUMN queue_worker.held_locks.is_claimed IS
    'Whether a row of the queue holds the key; if not, a function goes on after its run was closed, or an inline run is about to start.';
COMMENT ON COLUMN queue_worker.held_locks.is_locked IS
    'Whether a lock session holds the key; if not, the run is about to start or has just ended.';
COMMENT ON COLUMN queue_worker.held_locks.waiting IS 'How many jobs wait for the key; 1000 means that many or more.';
COMMENT ON COLUMN queue_worker.held_locks.worker_id IS 'The worker of the run.';
COMMENT ON COLUMN queue_worker.held_locks.host IS 'The host of that worker.';
COMMENT ON COLUMN queue_worker.held_locks.pid IS 'The process id of that worker.';
COMMENT ON COLUMN queue_worker.held_locks.session_pid IS 'The server process of the lock session that holds the key.';
