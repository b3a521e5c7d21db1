INSERT INTO queue_worker.migration (name, checksum, how, version)
VALUES (%(name)s, %(checksum)s, %(how)s, %(version)s)
ON CONFLICT (name) DO UPDATE
    SET checksum = excluded.checksum,
        how = excluded.how,
        version = excluded.version,
        applied_at = clock_timestamp(),
        applied_by = session_user;
