DROP VIEW IF EXISTS queue_worker.queued;

CREATE VIEW queue_worker.queued AS
SELECT
    entry.id AS queue_job_id,
    entry.task_name AS job,
    entry.status,
    entry.attempts + CASE WHEN entry.status IN ('todo', 'doing') THEN 1 ELSE 0 END AS attempt,
    entry.queue_name AS queue,
    entry.priority,
    entry.lock AS lock_key,
    entry.queue_worker_due_at AS due_at,
    entry.queue_worker_enqueued_at AS enqueued_at,
    entry.queue_worker_enqueued_by AS enqueued_by,
    entry.scheduled_at,
    entry.queue_worker_claimed_at AS claimed_at,
    entry.worker_id
FROM procrastinate_jobs AS entry;

COMMENT ON VIEW queue_worker.queued IS
    'The rows of the queue without their arguments; finished ones stay until retention takes them.';
COMMENT ON COLUMN queue_worker.queued.queue_job_id IS 'The row of procrastinate_jobs.';
COMMENT ON COLUMN queue_worker.queued.job IS 'The name of the job.';
COMMENT ON COLUMN queue_worker.queued.status IS 'todo: it waits; doing: it runs; the others: it has ended.';
COMMENT ON COLUMN queue_worker.queued.attempt IS 'The attempt that waits or runs; of one that has ended the last, 0 if there was none.';
COMMENT ON COLUMN queue_worker.queued.queue IS 'The queue it waits in.';
COMMENT ON COLUMN queue_worker.queued.priority IS 'Higher runs first.';
COMMENT ON COLUMN queue_worker.queued.lock_key IS 'The lock key it needs, or null.';
COMMENT ON COLUMN queue_worker.queued.due_at IS 'The tick that made it due; null on demand.';
COMMENT ON COLUMN queue_worker.queued.enqueued_at IS 'When it was put into the queue.';
COMMENT ON COLUMN queue_worker.queued.enqueued_by IS 'The role that put it there.';
COMMENT ON COLUMN queue_worker.queued.scheduled_at IS 'Not before this moment; null means at once.';
COMMENT ON COLUMN queue_worker.queued.claimed_at IS 'When a worker last claimed it.';
COMMENT ON COLUMN queue_worker.queued.worker_id IS 'The worker that runs it; null if none does.';
