-- Each function and view of ours as it is now. The text of a function is kept as it was given; what
-- the server writes out anew may differ from one version to the next.
SELECT
    object,
    md5(definition) AS digest,
    CASE WHEN is_kept THEN 0 ELSE current_setting('server_version_num')::integer / 10000 END AS server
FROM (
    SELECT
        p.oid::regprocedure::text AS object,
        concat_ws(
            ' ', l.lanname, p.provolatile, p.prosecdef, p.proconfig, p.prorettype::regtype,
            coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)
        ) AS definition,
        p.prosqlbody IS NULL AS is_kept
    FROM pg_proc AS p
    JOIN pg_language AS l ON l.oid = p.prolang
    WHERE p.pronamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
    UNION ALL
    SELECT v.oid::regclass::text, pg_get_viewdef(v.oid), false
    FROM pg_class AS v
    WHERE v.relkind = 'v'
        AND v.relnamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
) AS made
