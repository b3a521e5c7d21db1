UPDATE content_pipeline.aggregation_watermark
   SET seen = %(seen)s,
       system_identifier = content_pipeline.read_cluster(),
       advanced_at = clock_timestamp()
