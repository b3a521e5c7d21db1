DROP VIEW IF EXISTS queue_worker.runs;

CREATE VIEW queue_worker.runs AS
SELECT
    run.finished_at,
    run.job,
    run.run_id,
    run.outcome,
    run.started_at - coalesce(
        earlier.retry_at, earlier.finished_at, run.due_at, run.enqueued_at
    ) AS waited,
    run.finished_at - run.started_at AS ran,
    run.error_class,
    run.error_message,
    run.retry_at,
    run.queue,
    run.lock_key,
    run.due_at,
    run.enqueued_at,
    run.enqueued_by,
    run.started_at,
    run.dry_run,
    run.worker_id,
    w.host,
    w.pid,
    run.queue_job_id,
    run.attempt,
    run.traceback
FROM queue_worker.run
LEFT JOIN queue_worker.run AS earlier
    ON earlier.queue_job_id = run.queue_job_id AND earlier.attempt = run.attempt - 1
LEFT JOIN queue_worker.worker AS w ON w.worker_id = run.worker_id;

COMMENT ON VIEW queue_worker.runs IS 'The ledger with how long each run waited and ran, and where.';
COMMENT ON COLUMN queue_worker.runs.finished_at IS 'When it ended.';
COMMENT ON COLUMN queue_worker.runs.job IS 'The name of the job.';
COMMENT ON COLUMN queue_worker.runs.run_id IS 'The run, as <queue_job_id>.<attempt>.';
COMMENT ON COLUMN queue_worker.runs.outcome IS 'How it ended.';
COMMENT ON COLUMN queue_worker.runs.waited IS
    'From when it was to run to its start: since the retry was due or the earlier attempt ended; of a first attempt since its tick, or since it was enqueued, a delay included.';
COMMENT ON COLUMN queue_worker.runs.ran IS 'From its start to its end.';
COMMENT ON COLUMN queue_worker.runs.error_class IS 'The class of the error, or the reason in one word.';
COMMENT ON COLUMN queue_worker.runs.error_message IS 'The error''s message, shortened.';
COMMENT ON COLUMN queue_worker.runs.retry_at IS 'When the next attempt was due; null if there was none.';
COMMENT ON COLUMN queue_worker.runs.queue IS 'The queue it waited in.';
COMMENT ON COLUMN queue_worker.runs.lock_key IS 'The key it held, or null.';
COMMENT ON COLUMN queue_worker.runs.due_at IS 'The tick that made it due; null on demand.';
COMMENT ON COLUMN queue_worker.runs.enqueued_at IS 'When it was put into the queue.';
COMMENT ON COLUMN queue_worker.runs.enqueued_by IS 'The role that put it there.';
COMMENT ON COLUMN queue_worker.runs.started_at IS 'When it began.';
COMMENT ON COLUMN queue_worker.runs.dry_run IS 'Whether the function was not called (JOB_DRY_RUN).';
COMMENT ON COLUMN queue_worker.runs.worker_id IS 'The worker that carried it out.';
COMMENT ON COLUMN queue_worker.runs.host IS 'The host of that worker.';
COMMENT ON COLUMN queue_worker.runs.pid IS 'The process id of that worker.';
COMMENT ON COLUMN queue_worker.runs.queue_job_id IS 'The row of the queue, which may be gone.';
COMMENT ON COLUMN queue_worker.runs.attempt IS '1 for the first run of a queued job.';
COMMENT ON COLUMN queue_worker.runs.traceback IS 'The end of the traceback.';
