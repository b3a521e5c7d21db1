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
    PERFORM queue_worker.require_actor(audit.actor, audit.reason);
    INSERT INTO queue_worker.audit_log (actor, action, subject, reason, details)
    VALUES (audit.actor, audit.action, audit.subject, audit.reason, audit.details);
END;
$$;

COMMENT ON FUNCTION queue_worker.audit(text, text, text, text, jsonb) IS
    'Write one row into the audit log; refuses an empty name or reason.';
