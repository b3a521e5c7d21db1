CREATE OR REPLACE FUNCTION content_pipeline.promote_output(
    output_id bigint,
    actor     text,
    reason    text
) RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
    found        content_pipeline.regeneration_output;
    published_id bigint;
BEGIN
    SELECT * INTO found
      FROM content_pipeline.regeneration_output AS o
     WHERE o.output_id = promote_output.output_id;
    IF found.output_id IS NULL THEN
        RAISE EXCEPTION 'There is no output %', promote_output.output_id
            USING ERRCODE = 'no_data_found',
                  HINT = 'SELECT * FROM content_pipeline.regeneration_output; lists what was generated.';
    END IF;

    PERFORM queue_worker.audit(
        actor, 'output.promoted', 'output:' || found.output_id, reason,
        jsonb_build_object('content_id', found.content_id));
    INSERT INTO content_pipeline.published_output (output_id, content_id, published_by, reason)
    VALUES (found.output_id, found.content_id, actor, promote_output.reason)
        ON CONFLICT DO NOTHING
    RETURNING published_output.published_id INTO published_id;
    IF published_id IS NULL THEN
        RAISE EXCEPTION 'Output % was already promoted', found.output_id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Each output is promoted once; see content_pipeline.published_output.';
    END IF;
    RETURN published_id;
END;
$$;

COMMENT ON FUNCTION content_pipeline.promote_output(bigint, text, text) IS
    'Promote an output: writes one row of published_output and nothing else; returns it. Example: SELECT content_pipeline.promote_output(7, ''ada'', ''read and approved'');';
