CREATE OR REPLACE FUNCTION content_pipeline.approve_retry(
    request_id bigint,
    actor      text,
    reason     text
) RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
    found    content_pipeline.regeneration_request;
    retry_id bigint;
BEGIN
    SELECT * INTO found
      FROM content_pipeline.regeneration_request AS r
     WHERE r.request_id = approve_retry.request_id
       FOR UPDATE;
    IF found.request_id IS NULL THEN
        RAISE EXCEPTION 'There is no regeneration request %', approve_retry.request_id
            USING ERRCODE = 'no_data_found',
                  HINT = 'SELECT * FROM content_pipeline.regeneration_request WHERE state = ''failed''; lists those to retry.';
    END IF;
    IF found.state <> 'failed' THEN
        RAISE EXCEPTION 'Regeneration request % is %, not failed', found.request_id, found.state
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Only a failed request can be tried again.';
    END IF;

    PERFORM queue_worker.audit(
        actor, 'retry.approved', 'regeneration_request:' || found.request_id, reason,
        jsonb_build_object('error_class', found.error_class));
    INSERT INTO content_pipeline.retry_intent (request_id, approved_by, reason)
    VALUES (found.request_id, actor, approve_retry.reason)
        ON CONFLICT DO NOTHING
    RETURNING retry_intent.retry_id INTO retry_id;
    IF retry_id IS NULL THEN
        RAISE EXCEPTION 'A retry of regeneration request % is already approved', found.request_id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'The job retry_executor carries it out.';
    END IF;
    RETURN retry_id;
END;
$$;

COMMENT ON FUNCTION content_pipeline.approve_retry(bigint, text, text) IS
    'Approve that a failed regeneration request is tried once more; returns the retry. Example: SELECT content_pipeline.approve_retry(7, ''ada'', ''the service is back'');';
