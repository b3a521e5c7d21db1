-- Triggers that stand in our migrations and do not fire.
SELECT format('%%s on %%s', disabled.tgname, disabled.tgrelid::regclass)
FROM pg_trigger AS disabled
JOIN pg_class AS fired ON fired.oid = disabled.tgrelid
WHERE NOT disabled.tgisinternal
    AND disabled.tgenabled NOT IN ('O', 'A')
    AND (
        fired.relnamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
        OR (fired.oid = to_regclass('procrastinate_jobs') AND disabled.tgname LIKE 'queue\_worker\_%%')
    )
ORDER BY 1
