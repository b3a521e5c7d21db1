-- Procrastinate records no version, but each of its migrations leaves one mark in the catalog.
WITH procrastinate AS (
    SELECT p.proname, p.prosrc
    FROM pg_proc AS p
    JOIN pg_class AS jobs ON jobs.relnamespace = p.pronamespace
    WHERE jobs.oid = to_regclass('procrastinate_jobs')
)
SELECT mark.name, mark.found
FROM (VALUES
    (1, '02.14.01_01_add_indexes_for_fetch_job.sql',
        to_regclass('procrastinate_jobs_priority_idx') IS NOT NULL
        OR to_regclass('procrastinate_jobs_priority_idx_v1') IS NOT NULL),
    (2, '03.00.00_01_pre_cancel_notification.sql',
        EXISTS (SELECT FROM pg_attribute
                WHERE attrelid = to_regclass('procrastinate_jobs') AND attname = 'abort_requested')),
    (3, '03.00.00_50_post_cancel_notification.sql',
        EXISTS (SELECT FROM pg_constraint
                WHERE conrelid = to_regclass('procrastinate_jobs')
                AND conname = 'check_not_todo_abort_requested')),
    (4, '03.01.00_01_pre_add_heartbeat.sql',
        to_regclass('procrastinate_workers') IS NOT NULL),
    (5, '03.01.00_50_post_add_heartbeat.sql',
        NOT EXISTS (SELECT FROM procrastinate WHERE proname = 'procrastinate_fetch_job_v1')),
    (6, '03.02.00_01_pre_batch_defer_jobs.sql',
        EXISTS (SELECT FROM procrastinate WHERE proname = 'procrastinate_defer_jobs_v1')),
    (7, '03.02.00_50_post_batch_defer_jobs.sql',
        NOT EXISTS (SELECT FROM procrastinate WHERE proname = 'procrastinate_defer_job_v1')),
    (8, '03.03.00_01_pre_priority_lock_fetch_job.sql',
        EXISTS (SELECT FROM procrastinate WHERE proname = 'procrastinate_fetch_job_v2'
                AND prosrc LIKE '%%other_jobs.priority > jobs.priority%%')),
    (9, '03.04.00_01_pre_add_retry_failed_job_procedure.sql',
        EXISTS (SELECT FROM procrastinate WHERE proname = 'procrastinate_retry_job_v2')),
    (10, '03.04.00_50_post_add_retry_failed_job_procedure.sql',
        EXISTS (SELECT FROM procrastinate
                WHERE proname = 'procrastinate_trigger_function_status_events_update_v1'
                AND prosrc LIKE '%%''retried''%%'))
) AS mark (position, name, found)
WHERE to_regclass('procrastinate_jobs') IS NOT NULL
ORDER BY mark.position;
