-- The functions and views of ours that are there, by the names of their files.
SELECT 'functions/' || p.proname || '.sql'
FROM pg_proc AS p
WHERE p.pronamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
UNION
SELECT 'views/' || c.relname || '.sql'
FROM pg_class AS c
WHERE c.relkind = 'v'
    AND c.relnamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
