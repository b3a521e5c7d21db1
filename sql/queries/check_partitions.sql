-- Tables of ours that are partitioned by a range of time, and whether one partition of each, other
-- than the default, takes a row of tomorrow.
SELECT
    parent.oid::regclass::text,
    EXISTS (
        SELECT
        FROM pg_inherits AS child
        JOIN pg_class AS part ON part.oid = child.inhrelid
        CROSS JOIN LATERAL regexp_match(
            pg_get_expr(part.relpartbound, part.oid), 'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)'
        ) AS bound
        WHERE child.inhparent = parent.oid
            AND NOT child.inhdetachpending
            AND now() + interval '1 day' >= bound[1]::timestamptz
            AND now() + interval '1 day' < bound[2]::timestamptz
    )
FROM pg_class AS parent
JOIN pg_partitioned_table AS scheme ON scheme.partrelid = parent.oid
JOIN pg_attribute AS key ON key.attrelid = parent.oid AND key.attnum = scheme.partattrs[0]
WHERE scheme.partstrat = 'r'
    AND scheme.partnatts = 1
    AND key.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
    AND parent.relnamespace IN (to_regnamespace('queue_worker'), to_regnamespace('content_pipeline'))
ORDER BY 1
