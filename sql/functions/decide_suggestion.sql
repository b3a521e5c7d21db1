CREATE OR REPLACE FUNCTION content_pipeline.decide_suggestion(
    suggestion_id bigint,
    decision      text,
    actor         text,
    reason        text
) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    found content_pipeline.content_suggestion;
BEGIN
    SELECT * INTO found
      FROM content_pipeline.content_suggestion AS s
     WHERE s.suggestion_id = decide_suggestion.suggestion_id
       FOR UPDATE;
    IF found.suggestion_id IS NULL THEN
        RAISE EXCEPTION 'There is no suggestion %', decide_suggestion.suggestion_id
            USING ERRCODE = 'no_data_found',
                  HINT = 'SELECT * FROM content_pipeline.content_suggestion WHERE state = ''open''; lists those to decide.';
    END IF;
    IF found.state <> 'open' THEN
        RAISE EXCEPTION 'Suggestion % was already % by %', found.suggestion_id, found.state, found.decided_by
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'A decision stands; a new decline opens a new suggestion.';
    END IF;

    PERFORM queue_worker.audit(
        actor, 'suggestion.' || decision, 'suggestion:' || found.suggestion_id, reason,
        jsonb_build_object('content_id', found.content_id, 'kind', found.kind));
    UPDATE content_pipeline.content_suggestion AS s
       SET state = decision,
           decided_at = clock_timestamp(),
           decided_by = actor,
           decision_reason = reason
     WHERE s.suggestion_id = found.suggestion_id;
END;
$$;

COMMENT ON FUNCTION content_pipeline.decide_suggestion(bigint, text, text, text) IS
    'The step that approve_suggestion and reject_suggestion share; call one of those.';
