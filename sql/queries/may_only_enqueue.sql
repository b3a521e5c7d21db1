-- Whether this role finds our functions but may not read the ledger of migrations.
SELECT coalesce(
    (
        SELECT has_schema_privilege(n.oid, 'USAGE') AND NOT has_table_privilege(c.oid, 'SELECT')
        FROM pg_namespace AS n
        JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'migration'
        WHERE n.nspname = 'queue_worker'
    ),
    false
)
