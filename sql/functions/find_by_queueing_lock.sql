-- Asked for a range, as in find_by_lock_key: procrastinate has an index over all that waits, too.
CREATE OR REPLACE FUNCTION queue_worker.find_by_queueing_lock(queueing_lock text) RETURNS bigint
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
        SELECT waiting.id
          FROM procrastinate_jobs AS waiting
         WHERE waiting.queueing_lock >= find_by_queueing_lock.queueing_lock
           AND waiting.queueing_lock <= find_by_queueing_lock.queueing_lock
           AND waiting.status = 'todo'
         ORDER BY waiting.queueing_lock
         LIMIT 1);
END;
$$;

COMMENT ON FUNCTION queue_worker.find_by_queueing_lock(text) IS
    'The job that waits with this queueing lock; null if none does. However much waits, it looks at little.';
