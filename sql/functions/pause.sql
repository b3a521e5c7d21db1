CREATE OR REPLACE FUNCTION queue_worker.pause(kind text, name text, actor text, reason text) RETURNS text
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM queue_worker.require_actor(pause.actor, pause.reason);
    IF NOT EXISTS (
        SELECT FROM queue_worker.job AS known
         WHERE pause.name = CASE pause.kind WHEN 'job' THEN known.name ELSE known.queue END
        UNION ALL
        SELECT FROM queue_worker.worker AS w
         WHERE pause.kind = 'queue' AND w.ended_at IS NULL AND pause.name = ANY (w.queues)
        UNION ALL
        SELECT FROM procrastinate_jobs AS waiting
         WHERE waiting.status = 'todo'
           AND pause.name = CASE pause.kind WHEN 'job' THEN waiting.task_name ELSE waiting.queue_name END
    ) THEN
        RAISE EXCEPTION 'There is no % %', pause.kind, quote_literal(pause.name)
            USING ERRCODE = 'no_data_found',
                  HINT = CASE pause.kind
                             WHEN 'job' THEN 'SELECT name FROM queue_worker.job; lists the jobs that the workers know.'
                             ELSE 'SELECT DISTINCT queue FROM queue_worker.job; lists the queues of the jobs that the workers know.' END;
    END IF;

    INSERT INTO queue_worker.pause (kind, name, actor, reason)
    VALUES (pause.kind, pause.name, pause.actor, pause.reason)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'already paused';
    END IF;
    PERFORM queue_worker.audit(
        pause.actor, pause.kind || '.paused', pause.kind || ':' || pause.name, pause.reason);
    RETURN 'paused';
END;
$$;

COMMENT ON FUNCTION queue_worker.pause(text, text, text, text) IS
    'What pause_job and pause_queue have in common. A name that nobody knows is refused.';
