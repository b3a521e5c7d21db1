SELECT content_pipeline.make_event_partitions((now() AT TIME ZONE 'UTC')::date, %(months)s)
