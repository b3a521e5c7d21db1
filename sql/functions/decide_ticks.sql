-- What a schedule made due since the last time, decided once: the ledger of ticks says who comes
-- too late. The queueing lock, the name of the job, keeps a run from waiting behind another one; a
-- tick that is caught up has a queueing lock of its own, as several of them may wait.
--
-- Workers of older versions call it without missed_since.
DROP FUNCTION IF EXISTS queue_worker.decide_ticks(jsonb, timestamptz[], timestamptz[], bigint);

CREATE OR REPLACE FUNCTION queue_worker.decide_ticks(
    job jsonb,
    run_for timestamptz[],
    missed timestamptz[],
    worker_id bigint,
    missed_since timestamptz DEFAULT NULL
) RETURNS TABLE (due_at timestamptz, state text)
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
DECLARE
    job_name text := decide_ticks.job ->> 'job';
    newest   timestamptz;
    latest   timestamptz := (SELECT max(r) FROM unnest(decide_ticks.run_for) AS r);
    due      timestamptz;
    answer   record;
    paused   text := queue_worker.find_pause(job_name, decide_ticks.job ->> 'queue');
BEGIN
    -- Held to the end of the transaction: the ticks of one job are decided one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('queue_worker.tick.' || job_name, 0));
    SELECT max(t.due_at) INTO newest FROM queue_worker.tick AS t WHERE t.job = job_name;

    INSERT INTO queue_worker.tick (job, due_at, state, reason, decided_by, missed_since)
    SELECT job_name, m, 'missed', 'no worker was there in time', decide_ticks.worker_id,
           CASE WHEN m = decide_ticks.missed[1] AND decide_ticks.missed_since IS NOT NULL
                THEN greatest(decide_ticks.missed_since, newest) END
      FROM unnest(decide_ticks.missed) AS m
     WHERE newest IS NULL OR m > newest;

    FOR due IN
        SELECT r FROM unnest(decide_ticks.run_for) AS r
         WHERE newest IS NULL OR r > newest
         ORDER BY r
    LOOP
        IF paused IS NOT NULL THEN
            state := 'skipped';
            INSERT INTO queue_worker.tick (job, due_at, state, reason, decided_by)
            VALUES (job_name, due, state, paused, decide_ticks.worker_id);
            due_at := due;
            RETURN NEXT;
            CONTINUE;
        END IF;
        SELECT * INTO answer
          FROM queue_worker.enqueue_jobs(jsonb_build_array(
                   decide_ticks.job || jsonb_build_object(
                       'queueing_lock', CASE WHEN due = latest THEN job_name
                                             ELSE job_name || '@' || to_char(due AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
                       'due_at', due,
                       'args', '{}'::jsonb)));
        state := CASE WHEN NOT answer.enqueued THEN 'skipped'
                      WHEN due < latest OR clock_timestamp() - due > interval '60 seconds'
                          THEN 'backfilled'
                      ELSE 'enqueued' END;
        INSERT INTO queue_worker.tick (job, due_at, state, reason, queue_job_id, decided_by)
        VALUES (job_name, due, state,
                CASE WHEN NOT answer.enqueued
                     THEN format('queue job %s of this job still waits', answer.queue_job_id) END,
                CASE WHEN answer.enqueued THEN answer.queue_job_id END,
                decide_ticks.worker_id);
        due_at := due;
        RETURN NEXT;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION queue_worker.decide_ticks(jsonb, timestamptz[], timestamptz[], bigint, timestamptz) IS
    'Decide the ticks of one job that are due: enqueue it for some, unless it is paused, and record the others as missed; the first of those stands for all since missed_since, if that is given. Ticks not newer than the newest one decided are left alone, so that a late or confused worker fires nothing twice. Returns those it has decided to run, and what came of each.';
