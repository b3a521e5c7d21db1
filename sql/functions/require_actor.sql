CREATE OR REPLACE FUNCTION queue_worker.require_actor(actor text, reason text) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    IF coalesce(trim(require_actor.actor), '') = '' OR coalesce(trim(require_actor.reason), '') = '' THEN
        RAISE EXCEPTION 'An audited action needs the name of a person and a reason'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Say who does it and why, for example ''ada'' and ''reviewed on Monday''.';
    END IF;
END;
$$;

COMMENT ON FUNCTION queue_worker.require_actor(text, text) IS
    'Refuses an empty name or reason, before anything else is looked at.';
