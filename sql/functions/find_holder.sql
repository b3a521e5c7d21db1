-- Evidence of life: a session that holds the advisory lock of the key, or the one that says that the
-- worker is alive, or one that the run itself has opened; or a heartbeat so fresh that a new session
-- may be on its way. A worker of plain procrastinate has only its heartbeat.
CREATE OR REPLACE FUNCTION queue_worker.find_holder(lock_key text, held procrastinate_jobs)
    RETURNS text
    LANGUAGE sql STABLE
    SET search_path FROM CURRENT
AS $$
    WITH session AS (
        SELECT l.pid, (l.classid::bigint << 32) | l.objid::bigint AS hash
          FROM pg_locks AS l
         WHERE l.locktype = 'advisory'
           AND l.granted
           AND l.objsubid = 1
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    SELECT format('worker %s (%s, pid %s)', w.worker_id, w.host, w.pid)
      FROM queue_worker.worker AS w
     WHERE w.worker_id = held.worker_id
       AND w.ended_at IS NULL
       AND (w.last_heartbeat_at > clock_timestamp() - interval '2 seconds'
            OR EXISTS (SELECT FROM session AS s
                        WHERE s.hash = hashtextextended('queue_worker.alive.' || w.worker_id, 0)))
    UNION ALL
    SELECT format('a plain procrastinate worker (%s)', p.id)
      FROM procrastinate_workers AS p
     WHERE p.id = held.worker_id
       AND p.last_heartbeat > clock_timestamp() - interval '30 seconds'
       AND NOT EXISTS (SELECT FROM queue_worker.worker AS w WHERE w.worker_id = p.id)
    UNION ALL
    SELECT format('the session with pid %s (%s)', s.pid, coalesce(a.application_name, 'unnamed'))
      FROM session AS s
      LEFT JOIN pg_stat_activity AS a USING (pid)
     WHERE s.hash = hashtextextended('queue_worker.lock.' || find_holder.lock_key, 0)
    UNION ALL
    SELECT format('the session with pid %s (%s)', a.pid, a.application_name)
      FROM pg_stat_activity AS a
     WHERE a.datname = current_database()
       AND starts_with(a.application_name, 'run ' || held.id || '.' || (held.attempts + 1) || ' ')
     LIMIT 1;
$$;

COMMENT ON FUNCTION queue_worker.find_holder(text, procrastinate_jobs) IS
    'Who holds this lock key and is alive, as text; null if nobody is. The second argument is the claimed row, or null.';
