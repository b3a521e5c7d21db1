-- Every approved retry makes its failed request wait again; nothing else does.
WITH approved AS (
    UPDATE content_pipeline.retry_intent
       SET state = 'done',
           done_at = clock_timestamp()
     WHERE state = 'approved'
    RETURNING request_id
)
UPDATE content_pipeline.regeneration_request AS r
   SET state = 'waiting',
       finished_at = NULL,
       error_class = NULL,
       error_message = NULL
  FROM approved
 WHERE r.request_id = approved.request_id
   AND r.state = 'failed'
