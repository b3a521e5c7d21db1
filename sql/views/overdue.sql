DROP VIEW IF EXISTS queue_worker.overdue;

CREATE VIEW queue_worker.overdue AS
SELECT
    known.name AS job,
    late.due_at,
    clock_timestamp() - late.due_at AS overdue_for,
    late.because,
    known.schedule,
    known.queue,
    late.queue_job_id,
    known.owner,
    known.runbook
FROM queue_worker.job AS known
LEFT JOIN LATERAL (
    SELECT tick.due_at, tick.decided_at, tick.queue_job_id
    FROM queue_worker.tick
    WHERE tick.job = known.name
    ORDER BY tick.due_at DESC
    LIMIT 1
) AS newest ON true
JOIN LATERAL (
    SELECT
        known.next_due_at AS due_at,
        CASE WHEN queue_worker.is_unknown(known.name) THEN 'no living worker knows it'
            ELSE 'no worker was there to decide it' END AS because,
        NULL::bigint AS queue_job_id
    WHERE known.next_due_at < clock_timestamp() - interval '10 seconds'
        AND (newest.due_at IS NULL OR newest.due_at < known.next_due_at)
        AND (
            known.next_due_at > clock_timestamp() - interval '1 day'
            OR NOT queue_worker.is_unknown(known.name)
        )
    UNION ALL
    -- the name lets a restored view look as this one does, also to `check`
    SELECT newest.due_at, 'it still waits in its queue' AS because, waiting.id
    FROM procrastinate_jobs AS waiting
    WHERE waiting.id = newest.queue_job_id
        AND waiting.status BETWEEN 'todo' AND 'todo'  -- so that no index but that of the key fits
        AND waiting.attempts = 0
        AND newest.decided_at < clock_timestamp() - interval '1 minute'
    ORDER BY due_at
    LIMIT 1
) AS late ON true
WHERE NOT EXISTS (  -- not by find_pause(), which would be called for every job
    SELECT FROM queue_worker.pause AS p
    WHERE (p.kind, p.name) IN (('job', known.name), ('queue', known.queue))
);

COMMENT ON VIEW queue_worker.overdue IS
    'Jobs that are due by their schedule and have no run: the tick was decided by nobody for ten seconds, or its run has waited for a minute. What somebody has paused is not overdue. A job that no living worker knows stays here for a day, and in incidents until it is retired.';
COMMENT ON COLUMN queue_worker.overdue.job IS 'The name of the job.';
COMMENT ON COLUMN queue_worker.overdue.due_at IS 'The tick that has led to no run yet; the oldest of them.';
COMMENT ON COLUMN queue_worker.overdue.overdue_for IS 'How long ago that was.';
COMMENT ON COLUMN queue_worker.overdue.because IS 'Why there is no run, as far as the database knows.';
COMMENT ON COLUMN queue_worker.overdue.schedule IS 'When the job is due by itself.';
COMMENT ON COLUMN queue_worker.overdue.queue IS 'The queue whose workers should run it.';
COMMENT ON COLUMN queue_worker.overdue.queue_job_id IS 'The row that waits in that queue, if there is one.';
COMMENT ON COLUMN queue_worker.overdue.owner IS 'Who answers for it.';
COMMENT ON COLUMN queue_worker.overdue.runbook IS 'Where it says what to do.';
