-- Sessions whose transaction has been open for too long, the oldest first.
SELECT
    pid, usename, application_name,
    extract(epoch FROM clock_timestamp() - xact_start)::double precision AS seconds
FROM pg_stat_activity
WHERE datname = current_database()
    AND backend_type = 'client backend'
    AND xact_start < clock_timestamp() - make_interval(secs => %(limit)s)
ORDER BY xact_start
LIMIT 5
