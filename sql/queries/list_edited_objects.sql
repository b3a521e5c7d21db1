-- What was made by a migration and looks otherwise now, or is gone. While another session migrates, its
-- work is not to be taken for an edit: then nothing is said.
SELECT known.object
FROM queue_worker.fingerprint AS known
LEFT JOIN jsonb_to_recordset(%(found)s) AS found (object text, digest text, server integer) USING (object)
WHERE (found.object IS NULL OR (known.digest <> found.digest AND known.server = found.server))
    AND NOT EXISTS (
        SELECT FROM pg_locks AS migrating
        WHERE migrating.locktype = 'advisory'
            AND migrating.granted
            AND migrating.objsubid = 1
            AND migrating.pid <> pg_backend_pid()
            AND migrating.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (migrating.classid::bigint << 32) | migrating.objid::bigint
                = hashtextextended('queue_worker.migrate', 0)
    )
ORDER BY known.object
