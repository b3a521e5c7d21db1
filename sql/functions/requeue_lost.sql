CREATE OR REPLACE FUNCTION queue_worker.requeue_lost(
    actor   text,
    reason  text,
    job     text DEFAULT NULL,
    since   timestamptz DEFAULT now() - interval '1 day',
    at_most integer DEFAULT 1000,
    dry_run boolean DEFAULT false
) RETURNS TABLE (queue_job_id bigint, lost_run text, lost_job text, what text)
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    lost     record;
    row      procrastinate_jobs;
    returned bigint[] := '{}';
BEGIN
    PERFORM queue_worker.require_actor(requeue_lost.actor, requeue_lost.reason);
    IF requeue_lost.since IS NULL OR coalesce(requeue_lost.at_most NOT BETWEEN 1 AND 10000, true) THEN
        RAISE EXCEPTION 'requeue_lost needs a moment since when, and at most 1 to 10,000 jobs'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For more, call it again.';
    END IF;
    FOR lost IN
        SELECT r.queue_job_id, r.run_id, r.job
          FROM queue_worker.run AS r
          JOIN procrastinate_jobs AS j ON j.id = r.queue_job_id AND j.status = 'failed'
         WHERE r.outcome IN ('failed', 'timed_out', 'lost')  -- as its index says
           AND r.outcome = 'lost'
           AND r.finished_at >= requeue_lost.since
           AND (requeue_lost.job IS NULL OR r.job = requeue_lost.job)
           AND NOT EXISTS (SELECT FROM queue_worker.run AS later
                            WHERE later.queue_job_id = r.queue_job_id
                              AND (later.attempt > r.attempt OR later.outcome = 'succeeded'))
         ORDER BY r.finished_at DESC, r.queue_job_id
         LIMIT requeue_lost.at_most
    LOOP
        SELECT * INTO row
          FROM procrastinate_jobs AS j
         WHERE j.id = lost.queue_job_id AND j.status = 'failed'
           FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN row.id IS NULL;  -- somebody else is just doing something with it
        queue_job_id := lost.queue_job_id;
        lost_run := lost.run_id;
        lost_job := lost.job;
        what := CASE WHEN requeue_lost.dry_run
                     THEN coalesce(queue_worker.find_twin(row), 'would be returned to the queue')
                     ELSE coalesce(queue_worker.return_to_queue(row), 'returned to the queue') END;
        IF what = 'returned to the queue' THEN
            returned := returned || row.id;
        END IF;
        RETURN NEXT;
    END LOOP;

    IF returned <> '{}' THEN
        PERFORM queue_worker.audit(
            requeue_lost.actor, 'jobs.requeued', 'job:' || coalesce(requeue_lost.job, '*'),
            requeue_lost.reason,
            jsonb_build_object('since', requeue_lost.since, 'queue_job_ids', returned));
        PERFORM queue_worker.wake_workers();
    END IF;
END;
$$;

COMMENT ON FUNCTION queue_worker.requeue_lost(text, text, text, timestamptz, integer, boolean) IS
    'Run once more what was lost and not run again, newest first: of one job or of all, since a moment (a day ago), at most so many. Returns a row for each and what came of it; with dry_run nothing is changed. What waits, runs or has succeeded since is left alone. Example: SELECT * FROM queue_worker.requeue_lost(''ada'', ''the host is back'', job => ''insight_engine'');';
