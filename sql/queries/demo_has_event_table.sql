SELECT to_regclass('content_pipeline.analytics_event') IS NOT NULL
