-- An index of procrastinate's over all that waits fits the question too. Statistics from a moment when
-- nothing was claimed rate both alike; asked for a range, only the index of locks has the order, and a
-- sort is forbidden.
CREATE OR REPLACE FUNCTION queue_worker.find_by_lock_key(lock_key text) RETURNS bigint
    LANGUAGE plpgsql
    STABLE
    STRICT
    SET search_path FROM CURRENT
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN (
        SELECT held.id
          FROM procrastinate_jobs AS held
         WHERE held.lock >= find_by_lock_key.lock_key AND held.lock <= find_by_lock_key.lock_key
           AND held.status = 'doing'
         ORDER BY held.lock
         LIMIT 1);
END;
$$;

COMMENT ON FUNCTION queue_worker.find_by_lock_key(text) IS
    'The job that is claimed under this lock key; null if none is. However much waits, it looks at little.';
