CREATE OR REPLACE FUNCTION content_pipeline.approve_suggestion(
    suggestion_id bigint,
    actor         text,
    reason        text
) RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
    request_id bigint;
BEGIN
    PERFORM content_pipeline.decide_suggestion(suggestion_id, 'approved', actor, reason);

    INSERT INTO content_pipeline.regeneration_request (suggestion_id)
    VALUES (approve_suggestion.suggestion_id)
    RETURNING regeneration_request.request_id INTO request_id;
    RETURN request_id;
END;
$$;

COMMENT ON FUNCTION content_pipeline.approve_suggestion(bigint, text, text) IS
    'Approve an open suggestion: its content will be regenerated; returns the request. Example: SELECT content_pipeline.approve_suggestion(7, ''ada'', ''the numbers are clear'');';
