UPDATE content_pipeline.regeneration_request
   SET state = 'failed',
       finished_at = clock_timestamp(),
       error_class = %(error_class)s,
       error_message = %(error_message)s
 WHERE request_id = %(request_id)s
   AND state = 'waiting'
