-- Why: what is kept how long is a table; what a deletion is about to remove is stored before it
-- begins; and the database itself refuses what no policy may ever remove.
-- Breaks older workers: no. They read and write none of this, and delete nothing.
-- Way back: DROP the three tables, the event trigger queue_worker_audit_guards (if it is there) and the triggers named
-- *_checked, *_audited and run_kept, and CREATE TRIGGER run_append_only again as 0001 did.

CREATE TABLE queue_worker.retention_policy (
    name        text PRIMARY KEY CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_.]{0,127}$'),
    relation    regclass NOT NULL,
    column_name name,
    how         text NOT NULL CHECK (how IN ('hard_delete', 'soft_delete', 'never')),
    keep        interval,
    least       interval NOT NULL DEFAULT '1 day' CHECK (least >= '1 day'),
    max_rows    bigint NOT NULL CHECK (max_rows >= 0),
    max_share   numeric NOT NULL CHECK (max_share BETWEEN 0 AND 1),
    description text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (keep >= least),
    CHECK (how <> 'never' OR keep IS NULL),
    CHECK (keep IS NULL OR column_name IS NOT NULL)
);

COMMENT ON TABLE queue_worker.retention_policy IS
    'What is kept how long, as the started processes declared it; changes are audited.';
COMMENT ON COLUMN queue_worker.retention_policy.name IS 'The policy.';
COMMENT ON COLUMN queue_worker.retention_policy.relation IS 'The table that it is about.';
COMMENT ON COLUMN queue_worker.retention_policy.column_name IS
    'The moment or day that the age counts from; of queue rows, that of the ledger.';
COMMENT ON COLUMN queue_worker.retention_policy.how IS
    'hard_delete: rows are gone; soft_delete: deleted_at is set; never: no row is touched.';
COMMENT ON COLUMN queue_worker.retention_policy.keep IS 'How long a row is kept; null means for ever.';
COMMENT ON COLUMN queue_worker.retention_policy.least IS 'No policy of this name may keep less.';
COMMENT ON COLUMN queue_worker.retention_policy.max_rows IS
    'A scheduled run that would remove more than this stops instead.';
COMMENT ON COLUMN queue_worker.retention_policy.max_share IS
    'The same for the share of the table''s rows, from 10,000 rows to be removed on.';
COMMENT ON COLUMN queue_worker.retention_policy.description IS 'What it is for, in one line.';
COMMENT ON COLUMN queue_worker.retention_policy.changed_at IS 'When it was last changed.';

-- Immutable on purpose: a table that is kept for ever is never taken from this list.
CREATE FUNCTION queue_worker.kept_for_ever() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['content_pipeline.content_suggestion', 'content_pipeline.regeneration_output',
             'content_pipeline.published_output', 'queue_worker.audit_log'];

COMMENT ON FUNCTION queue_worker.kept_for_ever() IS
    'The tables of which no row is ever deleted, by anybody.';

CREATE FUNCTION queue_worker.check_retention_policy() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_kept  boolean := NEW.relation IN (SELECT k::regclass FROM unnest(queue_worker.kept_for_ever()) AS k);
    has_type oid;
BEGIN
    IF is_kept AND NEW.how <> 'never' THEN
        RAISE EXCEPTION 'Policy % is refused: % is kept for ever', NEW.name, NEW.relation
            USING ERRCODE = 'restrict_violation', HINT = 'Leave this table out of the policies.';
    END IF;
    IF NEW.column_name IS NOT NULL AND NEW.name NOT LIKE 'finished_queue_rows%' THEN
        SELECT atttypid INTO has_type FROM pg_attribute
         WHERE attrelid = NEW.relation AND attname = NEW.column_name AND attnum > 0 AND NOT attisdropped;
        IF has_type IS NULL THEN
            RAISE EXCEPTION 'Policy % is refused: % has no column %',
                    NEW.name, NEW.relation, quote_ident(NEW.column_name)
                USING ERRCODE = 'undefined_column', HINT = 'Name the column that the age counts from.';
        END IF;
        IF has_type NOT IN ('timestamptz'::regtype, 'date'::regtype) THEN
            RAISE EXCEPTION 'Policy % is refused: % of % is of type %',
                    NEW.name, quote_ident(NEW.column_name), NEW.relation, has_type::regtype
                USING ERRCODE = 'datatype_mismatch',
                      HINT = 'An age counts from a date or a timestamp with time zone.';
        END IF;
    END IF;
    IF NEW.how = 'soft_delete' AND NOT EXISTS (
        SELECT FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE attrelid = NEW.relation AND relkind = 'r' AND attname = 'deleted_at'
           AND atttypid = 'timestamptz'::regtype AND NOT attisdropped)
    THEN
        RAISE EXCEPTION 'Policy % is refused: % is no table with a column deleted_at', NEW.name, NEW.relation
            USING ERRCODE = 'undefined_column',
                  HINT = 'Add one, a timestamp with time zone, and let the readers of the table heed it.';
    END IF;
    RETURN NEW;
END;
$$;

COMMENT ON FUNCTION queue_worker.check_retention_policy() IS
    'Trigger of retention_policy: refuses a policy on a table that is kept for ever, or on a column that is not there.';

CREATE TRIGGER retention_policy_checked
    BEFORE INSERT OR UPDATE ON queue_worker.retention_policy
    FOR EACH ROW EXECUTE FUNCTION queue_worker.check_retention_policy();

CREATE FUNCTION queue_worker.audit_retention_policy() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM queue_worker.audit(
        session_user::text, 'policy.' || lower(TG_OP) || 'd', 'policy:' || OLD.name,
        'the definitions, or somebody by hand, changed it',
        jsonb_strip_nulls(jsonb_build_object(
            'was', OLD.how || ' after ' || coalesce(OLD.keep::text, 'ever'),
            'is', CASE WHEN TG_OP = 'UPDATE'
                       THEN NEW.how || ' after ' || coalesce(NEW.keep::text, 'ever') END)));
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.audit_retention_policy() IS
    'Trigger of retention_policy: writes the audit log when a policy is changed or removed.';

CREATE TRIGGER retention_policy_audited
    AFTER UPDATE OR DELETE ON queue_worker.retention_policy
    FOR EACH ROW EXECUTE FUNCTION queue_worker.audit_retention_policy();

-- Plans -------------------------------------------------------------------------------------------

CREATE TABLE queue_worker.retention_plan (
    plan_id       bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    made_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_by       text NOT NULL DEFAULT session_user,
    policy_digest text NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz CHECK (finished_at >= started_at),
    undone_at     timestamptz CHECK (undone_at >= started_at)
);

COMMENT ON TABLE queue_worker.retention_plan IS
    'What a deletion is to remove, stored before it begins; the steps say what of it is done.';
COMMENT ON COLUMN queue_worker.retention_plan.plan_id IS 'Its number.';
COMMENT ON COLUMN queue_worker.retention_plan.made_at IS 'When it was made; after a day it is too old.';
COMMENT ON COLUMN queue_worker.retention_plan.made_by IS 'The role that made it.';
COMMENT ON COLUMN queue_worker.retention_plan.policy_digest IS
    'Fingerprint of its policies; with others it is not applied.';
COMMENT ON COLUMN queue_worker.retention_plan.started_at IS
    'When it was first applied; null if it was only made. Its soft-deleted rows have this deleted_at.';
COMMENT ON COLUMN queue_worker.retention_plan.finished_at IS 'When all of it was removed.';
COMMENT ON COLUMN queue_worker.retention_plan.undone_at IS
    'When its soft-deleted rows were put into use again.';

CREATE TABLE queue_worker.retention_step (
    plan_id       bigint NOT NULL REFERENCES queue_worker.retention_plan,
    policy        text NOT NULL,
    relation      regclass NOT NULL,
    cutoff        timestamptz NOT NULL,
    seen          pg_snapshot,
    rows          bigint NOT NULL CHECK (rows >= 0),
    of_rows       bigint NOT NULL CHECK (of_rows >= rows),
    oldest        timestamptz,
    newest        timestamptz,
    bytes         bigint NOT NULL,
    partitions    text[] NOT NULL DEFAULT '{}',
    referenced_by text[] NOT NULL DEFAULT '{}',
    removed       bigint NOT NULL DEFAULT 0 CHECK (removed <= rows),
    batches       bigint NOT NULL DEFAULT 0,
    last_at       timestamptz,
    last_id       bigint,
    upto_id       bigint,
    finished_at   timestamptz,
    PRIMARY KEY (plan_id, policy)
);

COMMENT ON TABLE queue_worker.retention_step IS
    'What a plan is to remove by one policy, and how far that is; written with each batch.';
COMMENT ON COLUMN queue_worker.retention_step.plan_id IS 'The plan.';
COMMENT ON COLUMN queue_worker.retention_step.policy IS 'The policy.';
COMMENT ON COLUMN queue_worker.retention_step.relation IS 'The table.';
COMMENT ON COLUMN queue_worker.retention_step.cutoff IS 'What is older goes; a UTC midnight.';
COMMENT ON COLUMN queue_worker.retention_step.seen IS
    'Of events: those that the aggregates held when the plan was made; no others go.';
COMMENT ON COLUMN queue_worker.retention_step.rows IS 'How many rows are to go; no more ever do.';
COMMENT ON COLUMN queue_worker.retention_step.of_rows IS 'How many rows the table had.';
COMMENT ON COLUMN queue_worker.retention_step.oldest IS 'The oldest of those to go.';
COMMENT ON COLUMN queue_worker.retention_step.newest IS 'The newest of those to go.';
COMMENT ON COLUMN queue_worker.retention_step.bytes IS 'The size of those to go, without indexes.';
COMMENT ON COLUMN queue_worker.retention_step.partitions IS
    'Partitions of which every row goes: they are detached and dropped.';
COMMENT ON COLUMN queue_worker.retention_step.referenced_by IS 'Tables with a foreign key to this one.';
COMMENT ON COLUMN queue_worker.retention_step.removed IS 'How many rows are gone.';
COMMENT ON COLUMN queue_worker.retention_step.batches IS 'In how many transactions.';
COMMENT ON COLUMN queue_worker.retention_step.last_at IS 'Up to where the batches have come.';
COMMENT ON COLUMN queue_worker.retention_step.last_id IS 'The same: the row.';
COMMENT ON COLUMN queue_worker.retention_step.upto_id IS 'The highest id of those to go, where rows have one.';
COMMENT ON COLUMN queue_worker.retention_step.finished_at IS 'When nothing was left to do.';

-- Rows that are in use still, by age.
CREATE INDEX analytics_daily_aggregate_kept_idx
    ON content_pipeline.analytics_daily_aggregate (day) WHERE deleted_at IS NULL;
CREATE INDEX analytics_signal_kept_idx
    ON content_pipeline.analytics_signal (window_end) WHERE deleted_at IS NULL;

-- The ledger: a run is deleted only when its policy says so, row by row.
CREATE FUNCTION queue_worker.refuse_early_delete() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.finished_at AT TIME ZONE 'UTC'
       < clock_timestamp() AT TIME ZONE 'UTC'
         - (SELECT keep FROM queue_worker.retention_policy WHERE name = 'run_ledger')
    THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'DELETE of queue_worker.run refused: run % is kept', OLD.run_id
        USING ERRCODE = 'restrict_violation',
              HINT = 'SELECT * FROM queue_worker.retention_policy WHERE name = ''run_ledger''; says how long.';
END;
$$;

COMMENT ON FUNCTION queue_worker.refuse_early_delete() IS
    'Trigger of the ledger: refuses to delete a run that its policy keeps, which is every run unless a policy says how long.';

DROP TRIGGER run_append_only ON queue_worker.run;
CREATE TRIGGER run_append_only
    BEFORE UPDATE OR TRUNCATE ON queue_worker.run
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.refuse_change();
CREATE TRIGGER run_kept
    BEFORE DELETE ON queue_worker.run
    FOR EACH ROW EXECUTE FUNCTION queue_worker.refuse_early_delete();

-- Guards ------------------------------------------------------------------------------------------

-- Always: also in a session that calls itself a replica, which skips other triggers.
ALTER TABLE content_pipeline.content_suggestion ENABLE ALWAYS TRIGGER content_suggestion_kept;
ALTER TABLE content_pipeline.regeneration_output ENABLE ALWAYS TRIGGER regeneration_output_append_only;
ALTER TABLE content_pipeline.published_output ENABLE ALWAYS TRIGGER published_output_append_only;
ALTER TABLE queue_worker.audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
ALTER TABLE queue_worker.run
    ENABLE ALWAYS TRIGGER run_append_only,
    ENABLE ALWAYS TRIGGER run_kept;

CREATE FUNCTION queue_worker.audit_guards() RETURNS event_trigger
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
         WHERE t.tgenabled = 'D'
           AND t.tgfoid IN (to_regproc('queue_worker.refuse_change'),
                            to_regproc('queue_worker.refuse_early_delete'))
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

-- Only a superuser may have one. Elsewhere queue_worker.disable_guard() writes the audit log, and a
-- guard that was disabled by hand is found by the checks.
DO $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        CREATE EVENT TRIGGER queue_worker_audit_guards ON ddl_command_end
            WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION queue_worker.audit_guards();
    END IF;
END;
$$;

-- A worker's role owns no table, but makes partitions.
ALTER FUNCTION content_pipeline.make_event_partitions(date, integer) SECURITY DEFINER;
REVOKE ALL ON FUNCTION content_pipeline.make_event_partitions(date, integer) FROM PUBLIC;
