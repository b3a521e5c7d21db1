SELECT count(*), (now() AT TIME ZONE 'UTC')::date FROM content_pipeline.analytics_event
