-- The unique (job, due_at) and the rule "never older than the newest" decide who fires a tick; the
-- queueing lock, the name of the job, keeps a second run from waiting behind the first.
CREATE OR REPLACE FUNCTION queue_worker.fire_tick(
    job jsonb,
    due_at timestamptz,
    missed timestamptz[],
    late boolean,
    worker_id bigint
) RETURNS text
    LANGUAGE plpgsql
AS $$
DECLARE
    job_name text := fire_tick.job ->> 'job';
    answer   record;
BEGIN
    -- Held to the end of the transaction: the ticks of one job are decided one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('queue_worker.tick.' || job_name, 0));
    PERFORM FROM queue_worker.tick AS t WHERE t.job = job_name AND t.due_at >= fire_tick.due_at;
    IF FOUND THEN
        RETURN 'decided';
    END IF;

    SELECT * INTO answer
      FROM queue_worker.enqueue_jobs(jsonb_build_array(
               fire_tick.job || jsonb_build_object(
                   'queueing_lock', job_name, 'due_at', fire_tick.due_at, 'args', '{}'::jsonb)));

    INSERT INTO queue_worker.tick (job, due_at, state, reason, decided_by)
    SELECT job_name, m, 'missed', 'no worker was there; a later tick ran instead', fire_tick.worker_id
      FROM unnest(fire_tick.missed) AS m
        ON CONFLICT DO NOTHING;

    INSERT INTO queue_worker.tick (job, due_at, state, reason, queue_job_id, decided_by)
    VALUES (job_name, fire_tick.due_at,
            CASE WHEN NOT answer.enqueued THEN 'skipped'
                 WHEN fire_tick.late THEN 'backfilled'
                 ELSE 'enqueued' END,
            CASE WHEN NOT answer.enqueued
                 THEN format('queue job %s of this job still waits', answer.queue_job_id) END,
            CASE WHEN answer.enqueued THEN answer.queue_job_id END,
            fire_tick.worker_id);
    RETURN CASE WHEN answer.enqueued THEN 'enqueued' ELSE 'skipped' END;
END;
$$;

COMMENT ON FUNCTION queue_worker.fire_tick(jsonb, timestamptz, timestamptz[], boolean, bigint) IS
    'Decide one tick of a schedule: enqueue its job, or record why not, and record the ticks before it that passed without a run. A tick not newer than the newest one decided is left alone, so that a late or confused worker fires nothing twice.';
