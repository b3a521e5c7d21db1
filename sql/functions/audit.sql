CREATE OR REPLACE FUNCTION queue_worker.audit(
    actor   text,
    action  text,
    subject text,
    reason  text,
    details jsonb DEFAULT '{}'
) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    IF coalesce(trim(audit.actor), '') = '' OR coalesce(trim(audit.reason), '') = '' THEN
        RAISE EXCEPTION 'An audited action needs the name of a person and a reason'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Say who does it and why, for example ''ada'' and ''reviewed on Monday''.';
    END IF;
    INSERT INTO queue_worker.audit_log (actor, action, subject, reason, details)
    VALUES (audit.actor, audit.action, audit.subject, audit.reason, audit.details);
END;
$$;

COMMENT ON FUNCTION queue_worker.audit(text, text, text, text, jsonb) IS
    'Write one row into the audit log; refuses an empty name or reason.';
