UPDATE content_pipeline.aggregation_watermark
   SET seen = %(seen)s,
       system_identifier = (SELECT system_identifier FROM pg_control_system()),
       advanced_at = clock_timestamp()
