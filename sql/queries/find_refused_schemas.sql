-- What keeps a first migration from making our schemas in this database, and the remedy.
SELECT refused.schema, refused.problem, refused.remedy
FROM (
    SELECT
        1 AS place, 'queue_worker' AS schema,
        format(
            'can''t have the queue in %%s: that works with the schema %%s',
            jobs.relnamespace::regnamespace, told.pronamespace::regnamespace
        ) AS problem,
        format(
            'Set QUEUE_WORKER_SCHEMA to %%s, or let the search path lead to another schema, for a queue of its own.',
            told.pronamespace::regnamespace
        ) AS remedy
    FROM pg_class AS jobs
    JOIN pg_trigger AS telling
        ON telling.tgrelid = jobs.oid AND telling.tgname = 'queue_worker_record_updated'
    JOIN pg_proc AS told ON told.oid = telling.tgfoid
    WHERE jobs.oid = to_regclass('procrastinate_jobs')
    UNION ALL
    SELECT 2, ours.name, 'has the name of a word of SQL', format('Give %%s another.', ours.variable)
    FROM (
        VALUES ('queue_worker', 'QUEUE_WORKER_SCHEMA'), ('content_pipeline', 'QUEUE_WORKER_CONTENT_SCHEMA')
    ) AS ours (name, variable)
    WHERE quote_ident(ours.name) <> ours.name
    UNION ALL
    SELECT
        3, 'content_pipeline', 'is there already, and no migration of ours has made it',
        'Set QUEUE_WORKER_CONTENT_SCHEMA to a name that is free.'
    WHERE to_regnamespace('content_pipeline') IS NOT NULL
    UNION ALL
    SELECT
        4, 'queue_worker', 'holds something already, and no migration of ours has made it',
        'Set QUEUE_WORKER_SCHEMA to a name that is free.'
    FROM (
        SELECT c.relname AS name FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('queue_worker')
        UNION ALL
        SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('queue_worker')
    ) AS held
    HAVING count(*) FILTER (WHERE held.name NOT IN ('migration', 'migration_pkey')) > 0
) AS refused
ORDER BY refused.place, refused.schema
