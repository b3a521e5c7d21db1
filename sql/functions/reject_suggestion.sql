CREATE OR REPLACE FUNCTION content_pipeline.reject_suggestion(
    suggestion_id bigint,
    actor         text,
    reason        text
) RETURNS void
    LANGUAGE sql
AS $$
    SELECT content_pipeline.decide_suggestion(suggestion_id, 'rejected', actor, reason);
$$;

COMMENT ON FUNCTION content_pipeline.reject_suggestion(bigint, text, text) IS
    'Reject an open suggestion: its content stays as it is. Example: SELECT content_pipeline.reject_suggestion(7, ''ada'', ''holidays'');';
