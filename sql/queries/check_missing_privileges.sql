-- What the matrix gives to a worker and this role can't do.
SELECT privilege, object
FROM queue_worker.role_matrix
WHERE role = 'worker'
    AND NOT CASE kind
        WHEN 'schema' THEN has_schema_privilege(object::regnamespace, privilege)
        WHEN 'table' THEN has_table_privilege(object, privilege)
        WHEN 'sequence' THEN has_sequence_privilege(object, privilege)
        WHEN 'function' THEN has_function_privilege(object, privilege)
    END
ORDER BY object, privilege
