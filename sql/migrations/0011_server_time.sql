-- Why: two foreign keys and two indexes took a tenth of the server's time for a job that is claimed
-- and closed; what they kept is now kept once for each statement.
-- Breaks older workers: no.
-- Way back: DROP the triggers queue_worker_check_worker, queue_worker_forget_worker and
-- queue_worker_drop_events, ADD the two foreign keys as procrastinate's schema has them, and make
-- procrastinate_jobs_lock_idx_v1 without the second condition; queue_worker_jobs_worker_idx stands in 0004.

-- A lock that is null is equal to no other: kept out, the index says the same and is smaller.
DROP INDEX procrastinate_jobs_lock_idx_v1;
CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1
    ON procrastinate_jobs (lock) WHERE status = 'doing' AND lock IS NOT NULL;

-- Events are only written by triggers, about rows that are there; they go with their job.
ALTER TABLE procrastinate_events DROP CONSTRAINT procrastinate_events_job_id_fkey;

CREATE FUNCTION queue_worker.drop_events() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE procrastinate_events;
    ELSE
        DELETE FROM procrastinate_events AS e USING gone WHERE e.job_id = gone.id;
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.drop_events() IS
    'Trigger of procrastinate_jobs: the events of a job go with it, as the foreign key had it.';

CREATE TRIGGER queue_worker_drop_events
    AFTER DELETE ON procrastinate_jobs
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.drop_events();
CREATE TRIGGER queue_worker_drop_all_events
    AFTER TRUNCATE ON procrastinate_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.drop_events();

-- Who claims must be registered: asked once for all rows of a statement.
ALTER TABLE procrastinate_jobs DROP CONSTRAINT procrastinate_jobs_worker_id_fkey;
DROP INDEX queue_worker_jobs_worker_idx;

CREATE FUNCTION queue_worker.forget_worker() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE procrastinate_jobs AS j
       SET worker_id = NULL
     WHERE j.status = 'doing' AND j.worker_id = OLD.id;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.forget_worker() IS
    'Trigger of procrastinate_workers: what a deleted worker has claimed belongs to nobody, as the foreign key had it. Rows that are finished keep its number.';

CREATE TRIGGER queue_worker_forget_worker
    AFTER DELETE ON procrastinate_workers
    FOR EACH ROW EXECUTE FUNCTION queue_worker.forget_worker();

CREATE FUNCTION queue_worker.check_worker(worker_ids bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    asked bigint;
BEGIN
    FOREACH asked IN ARRAY worker_ids LOOP
        PERFORM FROM procrastinate_workers AS w WHERE w.id = asked FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'Worker % is not registered, so it can claim nothing', asked
                USING ERRCODE = 'foreign_key_violation',
                      HINT = 'It was deleted from procrastinate_workers: start it again.';
        END IF;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION queue_worker.check_worker(bigint[]) IS
    'Refuse workers that are not registered, and keep the rows of those that are until the end of the transaction, as the foreign key of procrastinate_jobs did. Called by triggers.';

CREATE OR REPLACE FUNCTION queue_worker.record_inserted() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    workers bigint[] := (
        SELECT array_agg(DISTINCT i.worker_id) FROM inserted AS i WHERE i.worker_id IS NOT NULL);
BEGIN
    IF workers IS NOT NULL THEN
        PERFORM queue_worker.check_worker(workers);
    END IF;
    INSERT INTO procrastinate_events (job_id, type)
    SELECT i.id, 'deferred' FROM inserted AS i WHERE i.status = 'todo';

    PERFORM pg_notify('procrastinate_queue_v1#' || told.queue_name, told.hint),
            pg_notify('procrastinate_any_queue_v1', told.hint)
       FROM (
            SELECT i.queue_name,
                   json_build_object(
                       'type', 'job_inserted', 'job_id', max(i.id), 'count', count(*))::text AS hint
              FROM inserted AS i
             WHERE i.status = 'todo'
             GROUP BY i.queue_name
       ) AS told;
    RETURN NULL;
END;
$$;

CREATE OR REPLACE FUNCTION queue_worker.record_updated() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
    SET enable_hashjoin = on  -- whatever the session says: the plan is made once, for however few
    SET enable_nestloop = off -- rows, and kept
AS $$
DECLARE
    claimed bigint[] := (
        SELECT array_agg(DISTINCT becomes.worker_id)
          FROM after AS becomes
         WHERE becomes.status = 'doing' AND becomes.worker_id IS NOT NULL);
BEGIN
    IF claimed IS NOT NULL THEN
        PERFORM queue_worker.check_worker(claimed);
    END IF;
    INSERT INTO procrastinate_events (job_id, type)
    SELECT changed.id, changed.type
      FROM (
            SELECT becomes.id,
                   CASE
                       WHEN was.status = 'todo' AND becomes.status = 'doing' THEN 'started'
                       WHEN was.status = 'doing' AND becomes.status = 'todo' THEN 'deferred_for_retry'
                       WHEN was.status = 'doing' AND becomes.status = 'failed' THEN 'failed'
                       WHEN was.status = 'doing' AND becomes.status = 'succeeded' THEN 'succeeded'
                       WHEN was.status = 'doing' AND becomes.status = 'aborted' THEN 'aborted'
                       WHEN was.status = 'todo' AND becomes.status IN ('cancelled', 'failed', 'succeeded')
                           THEN 'cancelled'
                       WHEN was.status = 'failed' AND becomes.status = 'todo' THEN 'retried'
                   END::procrastinate_job_event_type AS type
              FROM before AS was
              JOIN after AS becomes USING (id)
      ) AS changed
     WHERE changed.type IS NOT NULL;
    RETURN NULL;
END;
$$;
