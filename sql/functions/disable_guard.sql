-- By name and with a reason: who must remove a row that is kept for ever disables its guard first.
CREATE OR REPLACE FUNCTION queue_worker.disable_guard(guarded regclass, actor text, reason text)
    RETURNS text[]
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    guards text[];
    guard  text;
BEGIN
    IF coalesce(trim(actor), '') = '' OR coalesce(trim(reason), '') = '' THEN
        RAISE EXCEPTION 'A guard is disabled by a person, for a reason'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Say who does it and why, for example ''ada'' and ''court order 7''.';
    END IF;
    SELECT array_agg(tgname::text ORDER BY tgname) INTO guards
      FROM pg_trigger
     WHERE tgrelid = guarded
       AND tgfoid IN ('queue_worker.refuse_change'::regproc, 'queue_worker.refuse_early_delete'::regproc);
    IF guards IS NULL THEN
        RAISE EXCEPTION '% has no guard', guarded
            USING ERRCODE = 'undefined_object', HINT = 'Name one of the tables that are kept for ever.';
    END IF;

    PERFORM set_config('queue_worker.guard_actor', actor, true),
            set_config('queue_worker.guard_reason', reason, true);
    EXECUTE format(
        'ALTER TABLE %s %s', guarded,
        (SELECT string_agg(format('DISABLE TRIGGER %I', g), ', ') FROM unnest(guards) AS g));
    PERFORM set_config('queue_worker.guard_actor', '', true),
            set_config('queue_worker.guard_reason', '', true);
    IF NOT EXISTS (
        SELECT FROM pg_event_trigger WHERE evtname = 'queue_worker_audit_guards' AND evtenabled <> 'D')
    THEN
        FOREACH guard IN ARRAY guards LOOP
            PERFORM queue_worker.audit(
                actor, 'guard.disabled', 'guard:' || guarded || '.' || guard, reason);
        END LOOP;
    END IF;
    RETURN guards;
END;
$$;

COMMENT ON FUNCTION queue_worker.disable_guard(regclass, text, text) IS
    'Disable the triggers that keep the rows of a table, and write the audit log; only for its owner. Returns their names. Example: SELECT queue_worker.disable_guard(''content_pipeline.published_output'', ''ada'', ''court order 7'');';
