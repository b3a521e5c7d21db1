-- Everything about one dead worker in one transaction.
CREATE OR REPLACE FUNCTION queue_worker.rescue_worker(dead_id bigint, rescuer_id bigint)
    RETURNS TABLE (queue_job_id bigint, attempt integer, job text, what text)
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    dead queue_worker.worker;
    held procrastinate_jobs;
BEGIN
    -- A claim of its may still be under way in the server, and holds the row it refers to: wait
    -- for its end, and keep out the next. The heartbeat locks in the same order.
    PERFORM FROM procrastinate_workers AS w WHERE w.id = dead_id FOR UPDATE;
    UPDATE queue_worker.worker AS w
       SET ended_at = clock_timestamp(), ended_how = 'lost'
     WHERE w.worker_id = dead_id
       AND w.ended_at IS NULL
       AND w.last_heartbeat_at < clock_timestamp() - interval '2 seconds'
    RETURNING w.* INTO dead;
    IF dead.worker_id IS NULL THEN
        RETURN;
    END IF;
    what := 'found dead';
    RETURN NEXT;

    -- What its runs still do in the database must not outlive their claims.
    PERFORM pg_terminate_backend(session.pid)
       FROM procrastinate_jobs AS p
       JOIN pg_stat_activity AS session
         ON session.datname = current_database()
        AND session.usename = current_user
        AND starts_with(session.application_name, 'run ' || p.id || '.' || (p.attempts + 1) || ' ')
      WHERE p.worker_id = dead_id AND p.status = 'doing';

    FOR held IN
        SELECT * FROM procrastinate_jobs AS p
         WHERE p.worker_id = dead_id AND p.status = 'doing'
         ORDER BY p.id
    LOOP
        what := queue_worker.close_lost_run(
            held, dead_id,
            format('worker %s (%s, pid %s) died or was cut off while it ran; found by worker %s',
                   dead_id, dead.host, dead.pid, rescuer_id));
        queue_job_id := held.id;
        attempt := held.attempts + 1;
        job := held.task_name;
        RETURN NEXT;
    END LOOP;

    PERFORM queue_worker.audit(
        'worker:' || rescuer_id, 'worker.lost', 'worker:' || dead_id,
        format('%s, pid %s, was found dead', dead.host, dead.pid),
        jsonb_build_object('last_heartbeat_at', dead.last_heartbeat_at));
    DELETE FROM procrastinate_workers WHERE id = dead_id;
    PERFORM queue_worker.wake_workers();
END;
$$;

COMMENT ON FUNCTION queue_worker.rescue_worker(bigint, bigint) IS
    'Close what a dead worker has left; returns a row for the worker (without a job) and one for each of its runs, or none if there was nothing to do: its runs are lost; a restartable job goes back to the queue, until it was lost three times. Does nothing for a worker that has ended already, or that has said within two seconds that it lives. Called by the reaper of another worker.';
