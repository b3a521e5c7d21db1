DROP VIEW IF EXISTS content_pipeline.event_partitions;

CREATE VIEW content_pipeline.event_partitions AS
SELECT
    child.oid::regclass AS partition,
    bounds.texts[1]::timestamptz AS lower_bound,
    bounds.texts[2]::timestamptz AS upper_bound
FROM pg_inherits
JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
CROSS JOIN LATERAL regexp_match(
    pg_get_expr(child.relpartbound, child.oid), $$^FOR VALUES FROM \('(.*)'\) TO \('(.*)'\)$$
) AS bounds (texts)
WHERE pg_inherits.inhparent = 'content_pipeline.analytics_event'::regclass
    AND bounds.texts IS NOT NULL;

COMMENT ON VIEW content_pipeline.event_partitions IS
    'The partitions of analytics_event and the moments they hold; the default one is left out.';
COMMENT ON COLUMN content_pipeline.event_partitions.partition IS 'The partition.';
COMMENT ON COLUMN content_pipeline.event_partitions.lower_bound IS 'The first moment it holds.';
COMMENT ON COLUMN content_pipeline.event_partitions.upper_bound IS 'The first moment it no longer holds.';
