-- Everything about one dead worker in one transaction; each of its runs under a savepoint, so that
-- one row that can't be rescued does not stop the others.
CREATE OR REPLACE FUNCTION queue_worker.rescue_worker(dead_id bigint, rescuer_id bigint)
    RETURNS TABLE (queue_job_id bigint, attempt integer, job text, what text)
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    dead     queue_worker.worker;
    held     record;
    losses   integer;
    decision text;
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
        AND session.application_name LIKE 'run ' || p.id || '.' || (p.attempts + 1) || ' %'
      WHERE p.worker_id = dead_id AND p.status = 'doing';

    FOR held IN
        SELECT p.*, coalesce(known.restartable, false) AS restartable
          FROM procrastinate_jobs AS p
          LEFT JOIN queue_worker.job AS known ON known.name = p.task_name
         WHERE p.worker_id = dead_id AND p.status = 'doing'
         ORDER BY p.id
    LOOP
        losses := held.queue_worker_losses + 1;
        decision := CASE WHEN NOT held.restartable THEN 'failed'
                         WHEN losses >= 3 THEN 'quarantined'
                         ELSE 'restarted' END;
        BEGIN
            UPDATE procrastinate_jobs AS p
               SET status = CASE WHEN decision = 'restarted' THEN 'todo' ELSE 'failed'
                            END::procrastinate_job_status,
                   attempts = p.attempts + 1,
                   abort_requested = false,
                   worker_id = NULL,
                   queue_worker_losses = losses,
                   queue_worker_restarts = p.queue_worker_restarts + (decision = 'restarted')::integer,
                   scheduled_at = CASE WHEN decision = 'restarted' THEN NULL
                                       ELSE p.scheduled_at END
             WHERE p.id = held.id;
        EXCEPTION WHEN unique_violation THEN
            -- A job with the same queueing lock waits already: it does the work.
            decision := 'failed';
            UPDATE procrastinate_jobs AS p
               SET status = 'failed', attempts = p.attempts + 1, abort_requested = false,
                   worker_id = NULL
             WHERE p.id = held.id;
        END;
        INSERT INTO queue_worker.run (
            queue_job_id, attempt, job, outcome, queue, lock_key, worker_id, due_at,
            enqueued_at, enqueued_by, started_at, finished_at, error_class, error_message, retry_at)
        VALUES (
            held.id, held.attempts + 1, held.task_name, 'lost', held.queue_name, held.lock,
            dead_id, held.queue_worker_due_at,
            coalesce(held.queue_worker_enqueued_at, held.queue_worker_claimed_at, dead.started_at),
            coalesce(held.queue_worker_enqueued_by, 'unknown'),
            least(coalesce(held.queue_worker_claimed_at, dead.started_at), clock_timestamp()),
            clock_timestamp(),
            CASE decision WHEN 'quarantined' THEN 'Quarantined' ELSE 'WorkerLost' END,
            format('worker %s (%s, pid %s) died or was cut off while it ran; found by worker %s; %s',
                   dead_id, dead.host, dead.pid, rescuer_id,
                   CASE decision
                       WHEN 'restarted' THEN 'back in the queue, as the job is restartable'
                       WHEN 'quarantined' THEN 'not run again: it was lost ' || losses || ' times'
                       ELSE 'not run again' END),
            CASE decision WHEN 'restarted' THEN clock_timestamp() END)
        ON CONFLICT DO NOTHING;
        queue_job_id := held.id;
        attempt := held.attempts + 1;
        job := held.task_name;
        what := decision;
        RETURN NEXT;
    END LOOP;

    PERFORM queue_worker.audit(
        'worker:' || rescuer_id, 'worker.lost', 'worker:' || dead_id,
        format('%s, pid %s, was found dead', dead.host, dead.pid),
        jsonb_build_object('last_heartbeat_at', dead.last_heartbeat_at));
    DELETE FROM procrastinate_workers WHERE id = dead_id;
    PERFORM pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
END;
$$;

COMMENT ON FUNCTION queue_worker.rescue_worker(bigint, bigint) IS
    'Close what a dead worker has left; returns a row for the worker (without a job) and one for each of its runs, or none if there was nothing to do: its runs are lost; a restartable job goes back to the queue, until it was lost three times. Does nothing for a worker that has ended already, or that has said within two seconds that it lives. Called by the reaper of another worker.';
