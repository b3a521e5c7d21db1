CREATE OR REPLACE FUNCTION queue_worker.retire_job(job text, actor text, reason text) RETURNS text
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    known   queue_worker.job;
    knowing queue_worker.worker;
    waits   bigint;
BEGIN
    PERFORM queue_worker.require_actor(retire_job.actor, retire_job.reason);
    SELECT k.* INTO known FROM queue_worker.job AS k WHERE k.name = retire_job.job FOR UPDATE;
    IF known.name IS NULL THEN
        RAISE EXCEPTION 'There is no job %', quote_literal(retire_job.job)
            USING ERRCODE = 'no_data_found',
                  HINT = 'SELECT name FROM queue_worker.job; lists the jobs that the workers know.';
    END IF;
    SELECT w.* INTO knowing FROM queue_worker.worker AS w
     WHERE w.ended_at IS NULL AND w.kind = 'worker'
       AND (w.jobs IS NULL OR known.name = ANY (w.jobs))
     LIMIT 1;
    IF knowing.worker_id IS NOT NULL THEN
        RAISE EXCEPTION 'Worker % (%, pid %) knows job %', knowing.worker_id, knowing.host,
                knowing.pid, quote_literal(known.name)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Deploy the version without it everywhere first; to stop it meanwhile, pause it.';
    END IF;
    SELECT min(p.id) INTO waits FROM procrastinate_jobs AS p
     WHERE p.task_name = known.name AND p.status = 'todo';
    IF waits IS NOT NULL THEN
        RAISE EXCEPTION 'Job % of it waits in queue %', waits, quote_literal(known.queue)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Cancel what waits first: it can be run by nobody.';
    END IF;
    IF known.retired_at IS NOT NULL THEN
        RETURN 'already retired';
    END IF;

    UPDATE queue_worker.job AS k SET retired_at = clock_timestamp(), next_due_at = NULL
     WHERE k.name = known.name;
    PERFORM queue_worker.resolve_alert(a.fingerprint)
       FROM queue_worker.alert AS a WHERE a.job = known.name AND a.state = 'open';
    PERFORM queue_worker.audit(
        retire_job.actor, 'job.retired', 'job:' || known.name, retire_job.reason,
        jsonb_build_object('schedule', known.schedule, 'last_seen_at', known.last_seen_at));
    RETURN 'retired';
END;
$$;

COMMENT ON FUNCTION queue_worker.retire_job(text, text, text) IS
    'Say that a job was taken out of the code: it is due no more, and its open alerts are over. Returns retired or already retired. Refused while a living worker knows it or something of it waits; a worker that declares it takes that back. Example: SELECT queue_worker.retire_job(''old_report'', ''ada'', ''replaced by new_report'');';
