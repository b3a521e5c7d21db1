DROP VIEW IF EXISTS queue_worker.recent_failures;

CREATE VIEW queue_worker.recent_failures AS
SELECT
    failed.finished_at,
    failed.job,
    failed.run_id,
    failed.outcome,
    failed.error_class,
    failed.error_message,
    failed.retry_at,
    failed.finished_at - failed.started_at AS ran,
    failed.worker_id,
    w.host,
    known.owner,
    known.runbook
FROM queue_worker.run AS failed
LEFT JOIN queue_worker.worker AS w USING (worker_id)
LEFT JOIN queue_worker.job AS known ON known.name = failed.job
WHERE failed.outcome IN ('failed', 'timed_out', 'lost')
    AND failed.finished_at > now() - interval '1 day'
ORDER BY failed.finished_at DESC;

COMMENT ON VIEW queue_worker.recent_failures IS
    'The runs of the last day that failed, timed out or were lost, the newest first. All of them are in queue_worker.run.';
COMMENT ON COLUMN queue_worker.recent_failures.finished_at IS 'When the run ended.';
COMMENT ON COLUMN queue_worker.recent_failures.job IS 'The name of the job.';
COMMENT ON COLUMN queue_worker.recent_failures.run_id IS 'The run; queue-worker show takes it.';
COMMENT ON COLUMN queue_worker.recent_failures.outcome IS 'How it ended.';
COMMENT ON COLUMN queue_worker.recent_failures.error_class IS 'The class of the error, or the reason in one word.';
COMMENT ON COLUMN queue_worker.recent_failures.error_message IS 'The error''s message, shortened.';
COMMENT ON COLUMN queue_worker.recent_failures.retry_at IS 'When the next attempt was due; null if there was none.';
COMMENT ON COLUMN queue_worker.recent_failures.ran IS 'How long the run took.';
COMMENT ON COLUMN queue_worker.recent_failures.worker_id IS 'The worker that carried it out.';
COMMENT ON COLUMN queue_worker.recent_failures.host IS 'The host of that worker.';
COMMENT ON COLUMN queue_worker.recent_failures.owner IS 'Who answers for the job.';
COMMENT ON COLUMN queue_worker.recent_failures.runbook IS 'Where it says what to do.';
