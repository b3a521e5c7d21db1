-- For each job that a worker has declared: when it last succeeded, if that is among its newest 200
-- runs, and last failed, if that is among its newest 50; when it is due next, and for how long it has
-- been overdue. Little for each, whatever has run.
WITH late AS MATERIALIZED (SELECT job, overdue_for FROM queue_worker.overdue)
SELECT
    known.name,
    (
        SELECT newest.finished_at
        FROM (
            SELECT run.outcome, run.finished_at
            FROM queue_worker.run
            WHERE run.job = known.name
            ORDER BY run.finished_at DESC
            LIMIT 200
        ) AS newest
        WHERE newest.outcome = 'succeeded'
        ORDER BY newest.finished_at DESC
        LIMIT 1
    ),
    (
        SELECT newest.finished_at
        FROM (
            SELECT run.outcome, run.finished_at
            FROM queue_worker.run
            WHERE run.job = known.name
            ORDER BY run.finished_at DESC
            LIMIT 50
        ) AS newest
        WHERE newest.outcome IN ('failed', 'timed_out', 'lost')
        ORDER BY newest.finished_at DESC
        LIMIT 1
    ),
    known.next_due_at,
    CASE WHEN known.next_due_at IS NOT NULL OR late.overdue_for IS NOT NULL
        THEN coalesce(late.overdue_for, interval '0') END
FROM queue_worker.job AS known
LEFT JOIN late ON late.job = known.name
