-- What of the events is too old and in the aggregates. An age of thousands of years is shown as one
-- that the client can read.
SELECT
    count(*) AS rows,
    (SELECT count(*) FROM content_pipeline.analytics_event) AS of_rows,
    CASE WHEN count(*) > 0 THEN greatest(min(e.occurred_at), '0001-01-02 00:00+00') END AS oldest,
    CASE WHEN count(*) > 0 THEN greatest(max(e.occurred_at), '0001-01-02 00:00+00') END AS newest,
    coalesce(sum(pg_column_size(e.*)), 0)::bigint AS bytes,
    NULL::bigint AS upto_id,
    ARRAY(
        SELECT p.partition::text FROM content_pipeline.event_partitions AS p
        WHERE p.upper_bound <= %(cutoff)s
        ORDER BY p.upper_bound
    ) AS partitions
FROM content_pipeline.analytics_event AS e
WHERE e.occurred_at < %(cutoff)s
    AND pg_visible_in_snapshot(e.transaction_id, %(seen)s::text::pg_snapshot)
