DROP VIEW IF EXISTS queue_worker.incidents;

-- It rests on no other view: a view that others rest on can't be replaced when its columns change.
CREATE VIEW queue_worker.incidents AS
SELECT
    last_run.finished_at AS since,
    'failing' AS kind,
    known.name AS subject,
    last_run.outcome || ': ' || last_run.error_class || ': ' || last_run.error_message AS what,
    known.owner,
    coalesce(nullif(known.runbook, ''), queue_worker.alert_runbook('JOB_FAILED', false)) AS runbook,
    'queue-worker show ' || last_run.run_id AS command,
    CASE WHEN EXISTS (SELECT FROM procrastinate_jobs WHERE id = last_run.queue_job_id) THEN
        format('SELECT queue_worker.retry_job(%s, session_user, %L);',
               last_run.queue_job_id, 'again after run ' || last_run.run_id)
    ELSE  -- its row was removed by retention, and its arguments with it
        format('SELECT queue_worker.enqueue(%L, reason => %L);',
               known.name, 'again after run ' || last_run.run_id)
    END AS remedy
FROM queue_worker.job AS known
JOIN LATERAL (
    SELECT run.* FROM queue_worker.run
    WHERE run.job = known.name
    ORDER BY run.finished_at DESC
    LIMIT 1
) AS last_run ON last_run.outcome IN ('failed', 'timed_out', 'lost') AND last_run.retry_at IS NULL
WHERE known.retired_at IS NULL
UNION ALL
SELECT
    known.next_due_at,
    CASE WHEN unknown.it_is THEN 'unknown' ELSE 'overdue' END,
    known.name,
    CASE WHEN unknown.it_is THEN 'no living worker knows it, and it has been due since '
        ELSE 'no worker was there to decide the tick of ' END || known.next_due_at,
    known.owner,
    coalesce(nullif(known.runbook, ''), queue_worker.alert_runbook('JOB_MISSED', false)),
    'queue-worker worker',
    CASE WHEN unknown.it_is THEN
        format('SELECT queue_worker.retire_job(%L, session_user, %L);', known.name, 'taken out of the code')
    ELSE
        format('SELECT queue_worker.enqueue(%L, reason => %L);', known.name, 'overdue')
    END
FROM queue_worker.job AS known
CROSS JOIN LATERAL (SELECT queue_worker.is_unknown(known.name)) AS unknown (it_is)
WHERE known.next_due_at < clock_timestamp() - interval '10 seconds'
    AND NOT EXISTS (
        SELECT FROM queue_worker.tick
        WHERE tick.job = known.name AND tick.due_at >= known.next_due_at
    )
    AND queue_worker.find_pause(known.name, known.queue) IS NULL
UNION ALL
SELECT
    w.last_heartbeat_at,
    'silent',
    'worker ' || w.worker_id,
    format('%s, pid %s, has no heartbeat; its runs wait for another worker to close them', w.host, w.pid),
    NULL,
    queue_worker.alert_runbook('WORKER_LOST', false),
    'queue-worker status',
    format('SELECT * FROM queue_worker.workers WHERE worker_id = %s;', w.worker_id)
FROM queue_worker.worker AS w
WHERE w.ended_at IS NULL AND w.last_heartbeat_at < clock_timestamp() - interval '15 seconds';

COMMENT ON VIEW queue_worker.incidents IS
    'What wants a person now: jobs whose last run failed for good, ticks that nobody decided, due jobs that no living worker knows, workers that have gone silent; each with its runbook and the statement that remedies it.';
COMMENT ON COLUMN queue_worker.incidents.since IS 'When it happened.';
COMMENT ON COLUMN queue_worker.incidents.kind IS
    'failing: the last run of the job ended badly and is not tried again; overdue: nobody decided its tick; unknown: nor does any living worker know it; silent: a worker without a heartbeat.';
COMMENT ON COLUMN queue_worker.incidents.subject IS 'The job or the worker.';
COMMENT ON COLUMN queue_worker.incidents.what IS 'What happened, in one line or two.';
COMMENT ON COLUMN queue_worker.incidents.owner IS 'Who answers for it.';
COMMENT ON COLUMN queue_worker.incidents.runbook IS 'Where it says what to do.';
COMMENT ON COLUMN queue_worker.incidents.command IS 'The command that shows more, or ends it.';
COMMENT ON COLUMN queue_worker.incidents.remedy IS 'The statement that remedies it once the cause is gone.';
