CREATE OR REPLACE FUNCTION queue_worker.resume(kind text, name text, actor text, reason text) RETURNS text
    LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    ended queue_worker.pause;
BEGIN
    PERFORM queue_worker.require_actor(resume.actor, resume.reason);
    DELETE FROM queue_worker.pause AS p
     WHERE p.kind = resume.kind AND p.name = resume.name
    RETURNING p.* INTO ended;
    IF ended.name IS NULL THEN
        RETURN 'not paused';
    END IF;
    PERFORM queue_worker.audit(
        resume.actor, ended.kind || '.resumed', ended.kind || ':' || ended.name, resume.reason,
        jsonb_build_object('paused_at', ended.paused_at, 'paused_by', ended.actor));
    PERFORM queue_worker.wake_workers();
    RETURN 'resumed';
END;
$$;

COMMENT ON FUNCTION queue_worker.resume(text, text, text, text) IS
    'What resume_job and resume_queue have in common.';
