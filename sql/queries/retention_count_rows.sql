-- What of a table is too old and in use. What is infinitely old has no age, and stays.
SELECT
    count(*) AS rows,
    (SELECT count(*) FROM {table}) AS of_rows,
    CASE WHEN count(*) > 0 THEN greatest(min({age}), '0001-01-02 00:00+00') END AS oldest,
    CASE WHEN count(*) > 0 THEN greatest(max({age}), '0001-01-02 00:00+00') END AS newest,
    coalesce(sum(pg_column_size(t.*)), 0)::bigint AS bytes,
    NULL::bigint AS upto_id,
    '{{}}'::text[] AS partitions
FROM {table} AS t
WHERE t.{column} < {cutoff} AND isfinite(t.{column}) AND t.deleted_at IS NULL
