CREATE OR REPLACE FUNCTION queue_worker.enable_guard(guarded regclass, actor text, reason text)
    RETURNS text[]
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    guards text[];
    guard  text;
BEGIN
    SELECT array_agg(tgname::text ORDER BY tgname) INTO guards
      FROM pg_trigger
     WHERE tgrelid = guarded
       AND tgenabled = 'D'
       AND tgfoid IN ('queue_worker.refuse_change'::regproc, 'queue_worker.refuse_early_delete'::regproc);
    FOREACH guard IN ARRAY coalesce(guards, '{}') LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guarded, guard);
        PERFORM queue_worker.audit(
            actor, 'guard.enabled', 'guard:' || guarded || '.' || guard, reason);
    END LOOP;
    RETURN coalesce(guards, '{}');
END;
$$;

COMMENT ON FUNCTION queue_worker.enable_guard(regclass, text, text) IS
    'Enable what queue_worker.disable_guard() has disabled, and write the audit log; only for the table''s owner. Returns the names of the triggers. Example: SELECT queue_worker.enable_guard(''content_pipeline.published_output'', ''ada'', ''done'');';
