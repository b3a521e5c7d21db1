SELECT EXISTS (SELECT FROM content_pipeline.analytics_event)
