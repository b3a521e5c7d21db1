-- Prepared transactions that nobody has ended for too long, the oldest first.
SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::double precision
FROM pg_prepared_xacts
WHERE database = current_database()
    AND prepared < clock_timestamp() - make_interval(secs => %(limit)s)
ORDER BY prepared
LIMIT 5
