-- What our SQL rests on among procrastinate's objects, each with its definition, and whether it may
-- be added without a change of ours: a column may if nobody has to fill it.
SELECT format('column %%s.%%s', a.attrelid::regclass, a.attname),
    format('%%s%%s', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' NOT NULL' END),
    NOT a.attnotnull OR a.atthasdef
FROM pg_attribute AS a
WHERE a.attrelid IN (
        to_regclass('procrastinate_jobs'), to_regclass('procrastinate_events'),
        to_regclass('procrastinate_workers')
    )
    AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT format('trigger %%s of %%s', t.tgname, t.tgrelid::regclass),
    format('%%s %%s', t.tgenabled, pg_get_triggerdef(t.oid)), false
FROM pg_trigger AS t
WHERE t.tgrelid IN (to_regclass('procrastinate_jobs'), to_regclass('procrastinate_workers'))
    AND NOT t.tgisinternal
UNION ALL
SELECT format('index %%s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid), NOT i.indisunique
FROM pg_index AS i
WHERE i.indrelid = to_regclass('procrastinate_jobs') AND (i.indisunique OR i.indexrelid::regclass::text LIKE 'queue_worker_jobs%%')
UNION ALL
SELECT format('constraint %%s', c.conname), pg_get_constraintdef(c.oid), false
FROM pg_constraint AS c
WHERE c.conrelid = to_regclass('procrastinate_jobs') AND c.contype IN ('c', 'f')
UNION ALL
SELECT format('type %%s', e.enumtypid::regtype), string_agg(e.enumlabel, ' ' ORDER BY e.enumsortorder), true
FROM pg_enum AS e
WHERE e.enumtypid IN (
        to_regtype('procrastinate_job_status'), to_regtype('procrastinate_job_event_type')
    )
GROUP BY e.enumtypid
UNION ALL
SELECT format('function %%s', p.oid::regprocedure), pg_get_function_result(p.oid), true
FROM pg_proc AS p
WHERE p.proname = 'procrastinate_register_worker_v1'
