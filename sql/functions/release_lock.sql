CREATE OR REPLACE FUNCTION queue_worker.release_lock(lock_key text, actor text, reason text)
    RETURNS text
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    held   procrastinate_jobs;
    run_id text;
    holder text;
BEGIN
    PERFORM queue_worker.require_actor(release_lock.actor, release_lock.reason);
    SELECT * INTO held
      FROM procrastinate_jobs AS p
     WHERE p.id = queue_worker.find_by_lock_key(release_lock.lock_key) AND p.status = 'doing'
       FOR UPDATE;
    run_id := held.id || '.' || (held.attempts + 1);
    holder := queue_worker.find_holder(release_lock.lock_key, held);
    IF holder IS NOT NULL THEN
        RAISE EXCEPTION 'Lock key % is held by %, which is alive', quote_literal(release_lock.lock_key), holder
            USING ERRCODE = 'lock_not_available',
                  HINT = CASE WHEN held.id IS NULL THEN 'Wait until that session has ended.'
                              ELSE 'Wait for its end, or cancel job ' || held.id || ' or stop that worker first.' END;
    END IF;
    IF held.id IS NULL THEN
        RAISE EXCEPTION 'Nobody holds lock key %', quote_literal(release_lock.lock_key)
            USING ERRCODE = 'no_data_found',
                  HINT = 'SELECT job, lock_key FROM queue_worker.running; lists the keys that are held.';
    END IF;

    PERFORM queue_worker.close_lost_run(
        held, (SELECT w.worker_id FROM queue_worker.worker AS w WHERE w.worker_id = held.worker_id),
        format('its worker was gone, and %s released lock key %s', release_lock.actor,
               quote_literal(release_lock.lock_key)));
    PERFORM queue_worker.audit(
        release_lock.actor, 'lock.released', 'lock_key:' || release_lock.lock_key,
        release_lock.reason, jsonb_build_object('run_id', run_id, 'job', held.task_name));
    PERFORM queue_worker.wake_workers();
    RETURN run_id;
END;
$$;

COMMENT ON FUNCTION queue_worker.release_lock(text, text, text) IS
    'Free a lock key whose run belongs to a worker that is gone, where no living worker does it by itself: the run is lost. Returns its id. Refuses while a session holds the key or its worker is alive, and names it. Example: SELECT queue_worker.release_lock(''insight_engine'', ''ada'', ''its host was switched off'');';
