DROP VIEW IF EXISTS queue_worker.job_health;

CREATE VIEW queue_worker.job_health AS
SELECT
    known.name AS job,
    last_run.outcome AS last_outcome,
    last_run.finished_at AS last_finished_at,
    last_run.finished_at - last_run.started_at AS last_duration,
    last_success.finished_at AS last_succeeded_at,
    last_run.error_class AS last_error_class,
    last_run.error_message AS last_error_message,
    known.schedule,
    last_tick.due_at AS last_tick_at,
    last_tick.state AS last_tick_state,
    known.owner,
    known.runbook,
    queue_worker.find_pause(known.name, known.queue) AS paused,
    known.retired_at
FROM queue_worker.job AS known
LEFT JOIN LATERAL (
    SELECT * FROM queue_worker.run
    WHERE run.job = known.name
    ORDER BY run.finished_at DESC
    LIMIT 1
) AS last_run ON true
LEFT JOIN LATERAL (
    SELECT run.finished_at FROM queue_worker.run
    WHERE run.job = known.name AND run.outcome = 'succeeded'
    ORDER BY run.finished_at DESC
    LIMIT 1
) AS last_success ON true
LEFT JOIN LATERAL (
    SELECT tick.due_at, tick.state FROM queue_worker.tick
    WHERE tick.job = known.name
    ORDER BY tick.due_at DESC
    LIMIT 1
) AS last_tick ON true;

COMMENT ON VIEW queue_worker.job_health IS 'How each job last went.';
COMMENT ON COLUMN queue_worker.job_health.job IS 'The name of the job.';
COMMENT ON COLUMN queue_worker.job_health.last_outcome IS 'How its last run ended; null if there was none.';
COMMENT ON COLUMN queue_worker.job_health.last_finished_at IS 'When that was.';
COMMENT ON COLUMN queue_worker.job_health.last_duration IS 'How long that run took.';
COMMENT ON COLUMN queue_worker.job_health.last_succeeded_at IS 'When a run last succeeded.';
COMMENT ON COLUMN queue_worker.job_health.last_error_class IS 'The error of the last run, if it had one.';
COMMENT ON COLUMN queue_worker.job_health.last_error_message IS 'The message of that error.';
COMMENT ON COLUMN queue_worker.job_health.schedule IS 'When it is due by itself; manual means never.';
COMMENT ON COLUMN queue_worker.job_health.last_tick_at IS 'The newest tick of its schedule.';
COMMENT ON COLUMN queue_worker.job_health.last_tick_state IS 'What came of that tick.';
COMMENT ON COLUMN queue_worker.job_health.owner IS 'Who answers for it.';
COMMENT ON COLUMN queue_worker.job_health.runbook IS 'Where it says what to do when it fails.';
COMMENT ON COLUMN queue_worker.job_health.paused IS 'Who has paused it or its queue, and why; null if nobody has.';
COMMENT ON COLUMN queue_worker.job_health.retired_at IS 'When an operator said that no worker will know it any more; null if none has.';
