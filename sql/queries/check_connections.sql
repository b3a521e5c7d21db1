-- The workers that live, and the narrowest limit that applies to this role.
SELECT
    (SELECT count(*) FROM queue_worker.worker WHERE ended_at IS NULL),
    (SELECT coalesce(sum(concurrency), 0) FROM queue_worker.worker WHERE ended_at IS NULL),
    least(
        current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer,
        (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
        (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = session_user)
    )
