-- Closes the request and stores its output, or does nothing if it no longer waits.
WITH done AS (
    UPDATE content_pipeline.regeneration_request
       SET state = 'done',
           finished_at = clock_timestamp()
     WHERE request_id = %(request_id)s
       AND state = 'waiting'
    RETURNING request_id
)
INSERT INTO content_pipeline.regeneration_output (request_id, content_id, body, generator)
SELECT request_id, %(content_id)s, %(body)s, %(generator)s
  FROM done
