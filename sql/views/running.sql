DROP VIEW IF EXISTS queue_worker.running;

CREATE VIEW queue_worker.running AS
SELECT
    held.task_name AS job,
    held.id || '.' || (held.attempts + 1) AS run_id,
    held.queue_worker_claimed_at AS claimed_at,
    clock_timestamp() - held.queue_worker_claimed_at AS running_for,
    known.timeout,
    held.lock AS lock_key,
    held.queue_name AS queue,
    held.worker_id,
    w.host,
    w.pid,
    w.last_heartbeat_at
FROM procrastinate_jobs AS held
LEFT JOIN queue_worker.worker AS w USING (worker_id)
LEFT JOIN queue_worker.job AS known ON known.name = held.task_name
WHERE held.status = 'doing';

COMMENT ON VIEW queue_worker.running IS 'What is claimed at this moment, and by whom.';
COMMENT ON COLUMN queue_worker.running.job IS 'The name of the job.';
COMMENT ON COLUMN queue_worker.running.run_id IS 'The run, as <queue_job_id>.<attempt>.';
COMMENT ON COLUMN queue_worker.running.claimed_at IS 'When it was claimed; null if a plain procrastinate worker did.';
COMMENT ON COLUMN queue_worker.running.running_for IS 'How long ago that was.';
COMMENT ON COLUMN queue_worker.running.timeout IS 'After this the run is ended.';
COMMENT ON COLUMN queue_worker.running.lock_key IS 'The lock key it holds, or null.';
COMMENT ON COLUMN queue_worker.running.queue IS 'The queue it waited in.';
COMMENT ON COLUMN queue_worker.running.worker_id IS 'The worker that claimed it; null if that one is gone.';
COMMENT ON COLUMN queue_worker.running.host IS 'The host of that worker.';
COMMENT ON COLUMN queue_worker.running.pid IS 'The process id of that worker.';
COMMENT ON COLUMN queue_worker.running.last_heartbeat_at IS 'When that worker last said that it is alive.';
