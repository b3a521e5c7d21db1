-- It runs for whoever alters any table of the database, with the rights of that role: so it looks our
-- functions up in the catalog, where everybody may read, and needs no right on our schema.
CREATE OR REPLACE FUNCTION queue_worker.audit_guards() RETURNS event_trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT DISTINCT t.tgrelid::regclass AS relation, t.tgname
          FROM pg_event_trigger_ddl_commands() AS command
          JOIN pg_trigger AS t ON t.tgrelid = command.objid AND command.classid = 'pg_class'::regclass
          JOIN pg_proc AS p ON p.oid = t.tgfoid
          JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE t.tgenabled = 'D'
           AND n.nspname = 'queue_worker'
           AND p.proname IN ('refuse_change', 'refuse_early_delete')
    LOOP
        PERFORM queue_worker.audit(
            coalesce(nullif(current_setting('queue_worker.guard_actor', true), ''), session_user),
            'guard.disabled', 'guard:' || found.relation || '.' || found.tgname,
            coalesce(nullif(current_setting('queue_worker.guard_reason', true), ''),
                     'none was given: ALTER TABLE by hand'));
    END LOOP;
END;
$$;

COMMENT ON FUNCTION queue_worker.audit_guards() IS
    'Event trigger: writes the audit log when somebody alters a table and leaves one of its guards disabled.';
