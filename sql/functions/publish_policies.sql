-- The table holds what the definitions say and nothing else; what has not changed is not written.
CREATE OR REPLACE FUNCTION queue_worker.publish_policies(policies jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path FROM CURRENT  -- of the migration: procrastinate's table is found by it
AS $$
DECLARE
    declared record;
    found    regclass;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('queue_worker.retention_policy', 0));
    DELETE FROM queue_worker.retention_policy
     WHERE name NOT IN (SELECT p ->> 'name' FROM jsonb_array_elements(policies) AS p);
    FOR declared IN
        SELECT * FROM jsonb_to_recordset(policies) AS p (
            name text, schema_name text, table_name text, column_name text, how text, keep interval,
            least interval, max_rows bigint, max_share numeric, description text)
    LOOP
        found := to_regclass(
            CASE WHEN declared.schema_name IS NULL THEN quote_ident(declared.table_name)
                 ELSE quote_ident(declared.schema_name) || '.' || quote_ident(declared.table_name) END);
        IF found IS NULL THEN
            RAISE EXCEPTION 'Policy % is refused: there is no table %', declared.name,
                    concat_ws('.', quote_ident(declared.schema_name), quote_ident(declared.table_name))
                USING ERRCODE = 'undefined_table', HINT = 'Name a table of this database.';
        END IF;
        INSERT INTO queue_worker.retention_policy AS old (
            name, relation, column_name, how, keep, least, max_rows, max_share, description)
        VALUES (
            declared.name, found, declared.column_name, declared.how, declared.keep, declared.least,
            declared.max_rows, declared.max_share, declared.description)
            ON CONFLICT (name) DO UPDATE
           SET relation = excluded.relation,
               column_name = excluded.column_name,
               how = excluded.how,
               keep = excluded.keep,
               least = excluded.least,
               max_rows = excluded.max_rows,
               max_share = excluded.max_share,
               description = excluded.description,
               changed_at = clock_timestamp()
         WHERE (old.relation, old.column_name, old.how, old.keep, old.least, old.max_rows,
                old.max_share, old.description)
               IS DISTINCT FROM
               (excluded.relation, excluded.column_name, excluded.how, excluded.keep, excluded.least,
                excluded.max_rows, excluded.max_share, excluded.description);
    END LOOP;
END;
$$;

COMMENT ON FUNCTION queue_worker.publish_policies(jsonb) IS
    'Fill retention_policy with what the definitions of a process declare; refuses what the table refuses.';
