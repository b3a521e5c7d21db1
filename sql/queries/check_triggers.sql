-- Triggers that do not fire as our migrations have set them, each with what sets it right: ours that
-- are off, and those of procrastinate that ours stand in for, which would do the same work again.
-- A restore with --disable-triggers switches on all that it has switched off. Those that refuse the
-- loss of rows in these tables are check_forever_guards' business.
SELECT
    format('%%s on %%s', wrong.tgname, wrong.tgrelid::regclass),
    format(
        'ALTER TABLE %%s %%s TRIGGER %%I', wrong.tgrelid::regclass,
        CASE WHEN wrong.tgname LIKE 'procrastinate\_%%' THEN 'DISABLE' ELSE 'ENABLE' END, wrong.tgname
    )
FROM pg_trigger AS wrong
JOIN pg_class AS fired ON fired.oid = wrong.tgrelid
JOIN pg_proc AS fires ON fires.oid = wrong.tgfoid
WHERE NOT wrong.tgisinternal
    AND NOT (
        fires.proname LIKE 'refuse\_%%'
        AND fired.oid IN (SELECT to_regclass(kept.name) FROM unnest(%(tables)s::text[]) AS kept (name))
    )
    AND CASE
        WHEN fired.relnamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
            OR wrong.tgname LIKE 'queue\_worker\_%%'
                AND fired.oid IN (to_regclass('procrastinate_jobs'), to_regclass('procrastinate_workers'))
        THEN wrong.tgenabled NOT IN ('O', 'A')
        WHEN fired.oid = to_regclass('procrastinate_jobs')
        THEN wrong.tgenabled <> 'D' AND wrong.tgname IN (
            'procrastinate_trigger_status_events_insert_v1',
            'procrastinate_trigger_status_events_update_v1',
            'procrastinate_jobs_notify_queue_job_inserted_v1'
        )
    END
ORDER BY 1
