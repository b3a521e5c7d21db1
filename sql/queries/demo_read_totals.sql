SELECT
    (SELECT count(*) FROM content_pipeline.analytics_event),
    (SELECT count(*) FROM content_pipeline.analytics_daily_aggregate),
    (SELECT coalesce(sum(events), 0)::bigint FROM content_pipeline.analytics_daily_aggregate),
    (SELECT count(DISTINCT content_id) FROM content_pipeline.analytics_daily_aggregate),
    (SELECT count(DISTINCT day) FROM content_pipeline.analytics_daily_aggregate)
