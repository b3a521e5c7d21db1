-- What a worker must not be able to do and this role can.
SELECT reason
FROM (
    SELECT 1, 'is a superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper
    UNION ALL
    SELECT 2, 'may create roles' FROM pg_roles
    WHERE rolname = current_user AND rolcreaterole AND NOT rolsuper
    UNION ALL
    SELECT 3, 'has the rights of the owner'
    FROM pg_namespace
    WHERE nspname = 'queue_worker' AND pg_has_role(nspowner, 'USAGE')
    UNION ALL
    SELECT 4, format('may %%s rows of %%s', lower(command), kept)
    FROM unnest(%(tables)s::text[]) AS kept
    CROSS JOIN (VALUES ('DELETE'), ('TRUNCATE'), ('UPDATE')) AS refused (command)
    WHERE to_regclass(kept) IS NOT NULL
        AND has_table_privilege(kept, command)
        AND NOT EXISTS (  -- of the ledger, guarded by run_kept
            SELECT FROM queue_worker.role_matrix AS decided
            WHERE decided.role = 'worker' AND decided.privilege = command AND decided.object = kept
        )
        AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    UNION ALL
    SELECT 5, format('shares schema %%s with anybody, who may create objects there', n.nspname)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN aclexplode(n.nspacl) AS granted
    WHERE c.oid = to_regclass('procrastinate_jobs')
        AND granted.grantee = 0 AND granted.privilege_type = 'CREATE'
) AS found (place, reason)
ORDER BY place, reason
