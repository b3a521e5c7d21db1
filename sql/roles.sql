-- Least privilege: four roles without a login. Give each process a login that is a member of one:
--
--     CREATE ROLE app_worker LOGIN PASSWORD '...' IN ROLE queue_worker_worker;
--
-- Run by `queue-worker migrate --roles`, or by psql -1 -f, as a superuser the first time and then again
-- whenever one likes; `queue-worker migrate` runs it after it has changed something. Who may do what
-- stands in the view queue_worker.role_matrix. Roles belong to the whole cluster: another name than
-- queue_worker_... is chosen by SET queue_worker.role_prefix = 'app'; before the first time.

DO $$
DECLARE
    prefix text := coalesce(nullif(current_setting('queue_worker.role_prefix', true), ''), 'queue_worker');
    part   text;
BEGIN
    FOREACH part IN ARRAY ARRAY['owner', 'worker', 'enqueuer', 'reader'] LOOP
        INSERT INTO queue_worker.role (part, name) VALUES (part, prefix || '_' || part)
        ON CONFLICT DO NOTHING;
    END LOOP;
    -- Another database of the cluster may make them at the same moment.
    FOR part IN SELECT name FROM queue_worker.role
                 WHERE name NOT IN (SELECT rolname FROM pg_roles) LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', part);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END;
$$;

-- The owner: it migrates, and functions that run with their owner's rights have its rights alone.
DO $$
DECLARE
    owner   text := (SELECT name FROM queue_worker.role WHERE part = 'owner');
    theirs  regnamespace := (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('procrastinate_jobs'));
    command text;
BEGIN
    IF NOT has_schema_privilege(owner, theirs, 'CREATE') THEN
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %s TO %I', theirs, owner);
    END IF;
    FOR command IN
        WITH ours AS (
            SELECT oid FROM pg_namespace WHERE nspname IN ('queue_worker', 'content_pipeline')
        )
        SELECT format('ALTER SCHEMA %s OWNER TO %I', n.oid::regnamespace, owner)
          FROM pg_namespace AS n
         WHERE n.oid IN (SELECT oid FROM ours) AND n.nspowner <> owner::regrole
        UNION ALL
        SELECT format('ALTER %s %s OWNER TO %I',
                      CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                      c.oid::regclass, owner)
          FROM pg_class AS c
         WHERE c.relkind IN ('r', 'p', 'v', 'S')
           AND (c.relnamespace IN (SELECT oid FROM ours)
                OR (c.relnamespace = theirs AND c.relname LIKE 'procrastinate\_%'))
           AND c.relowner <> owner::regrole
           AND NOT EXISTS (  -- a sequence of a column goes with its table
               SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND c.relkind = 'S' AND d.deptype IN ('a', 'i'))
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, owner)
          FROM pg_proc AS p
         WHERE (p.pronamespace IN (SELECT oid FROM ours)
                OR (p.pronamespace = theirs AND p.proname LIKE 'procrastinate\_%'))
           AND p.proowner <> owner::regrole
        UNION ALL
        SELECT format('ALTER TYPE %s OWNER TO %I', t.oid::regtype, owner)
          FROM pg_type AS t
         WHERE (t.typtype = 'e'
                OR EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
           AND (t.typnamespace IN (SELECT oid FROM ours)
                OR (t.typnamespace = theirs AND t.typname LIKE 'procrastinate\_%'))
           AND t.typowner <> owner::regrole
    LOOP
        EXECUTE command;
    END LOOP;
END;
$$;

-- Nothing to anybody, except what the matrix says.
DO $$
DECLARE
    names   text := (SELECT string_agg(quote_ident(name), ', ') FROM queue_worker.role WHERE part <> 'owner');
    theirs  regnamespace := (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('procrastinate_jobs'));
    command text;
BEGIN
    FOR command IN
        SELECT format('REVOKE ALL ON ALL %s IN SCHEMA %I FROM PUBLIC, %s', kind, schema, names)
          FROM unnest(ARRAY['TABLES', 'SEQUENCES', 'FUNCTIONS']) AS kind,
               unnest(ARRAY['queue_worker', 'content_pipeline']) AS schema
        UNION ALL
        SELECT format('REVOKE ALL ON SCHEMA %I FROM PUBLIC, %s', schema, names)
          FROM unnest(ARRAY['queue_worker', 'content_pipeline']) AS schema
        UNION ALL
        SELECT format('REVOKE ALL ON %s FROM %s', c.oid::regclass, names)
          FROM pg_class AS c
         WHERE c.relkind IN ('r', 'p', 'v', 'S')
           AND c.relnamespace = theirs AND c.relname LIKE 'procrastinate\_%'
        UNION ALL
        SELECT format('GRANT %s ON %s %s TO %I',
                      m.privilege, m.kind, m.object, r.name)
          FROM queue_worker.role_matrix AS m
          JOIN queue_worker.role AS r ON r.part = m.role
    LOOP
        EXECUTE command;
    END LOOP;
END;
$$;
