-- Why: a claim touches a bounded number of rows whatever waits, an update of many rows records its
-- events at once, and a worker's row is deleted without a look at every job that ever ran.
-- Breaks older workers: no. On a large table it holds a lock for as long as it reads the table once
-- for each index; run it when the queue may stand still for that time.
-- Way back: DROP the indexes, columns and the two triggers named queue_worker_record_*, and
-- ALTER TABLE procrastinate_jobs ENABLE TRIGGER for the three that are disabled below.

-- Runs that were cut off and given back are attempts like others, but no policy of the job's may be
-- charged for them.
ALTER TABLE procrastinate_jobs
    ADD COLUMN queue_worker_restarts integer NOT NULL DEFAULT 0,
    ADD COLUMN queue_worker_losses   integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN procrastinate_jobs.queue_worker_restarts IS
    'How many of its attempts were cut off and given back to the queue: no retry is charged for them.';
COMMENT ON COLUMN procrastinate_jobs.queue_worker_losses IS
    'How many of its attempts ended lost; after three it is not run again by itself.';

-- What waits, in the order of the claim: free of locks or not, due at once or later. 'todo' is the
-- first status there is: asked for as a range, these indexes fit and procrastinate's don't, so that
-- no statistics, however old, can lead the planner astray.
CREATE INDEX queue_worker_jobs_ready_idx
    ON procrastinate_jobs (queue_name, priority DESC, id)
    WHERE status <= 'todo' AND lock IS NULL AND scheduled_at IS NULL;
CREATE INDEX queue_worker_jobs_later_idx
    ON procrastinate_jobs (queue_name, priority, scheduled_at, id)
    WHERE status <= 'todo' AND lock IS NULL AND scheduled_at IS NOT NULL;
CREATE INDEX queue_worker_jobs_locked_ready_idx
    ON procrastinate_jobs (queue_name, priority DESC, id)
    WHERE status <= 'todo' AND lock IS NOT NULL AND scheduled_at IS NULL;
CREATE INDEX queue_worker_jobs_locked_later_idx
    ON procrastinate_jobs (queue_name, priority, scheduled_at, id)
    WHERE status <= 'todo' AND lock IS NOT NULL AND scheduled_at IS NOT NULL;

-- What waits for one lock: in its order, and what is not due yet beside it.
CREATE INDEX queue_worker_jobs_lock_ready_idx
    ON procrastinate_jobs (lock, priority DESC, id)
    WHERE status <= 'todo' AND lock IS NOT NULL AND scheduled_at IS NULL;
CREATE INDEX queue_worker_jobs_lock_later_idx
    ON procrastinate_jobs (lock, scheduled_at)
    WHERE status <= 'todo' AND lock IS NOT NULL AND scheduled_at IS NOT NULL;
DROP INDEX queue_worker_jobs_lock_order_idx;

-- The foreign key asks for a worker's jobs when its row is deleted; procrastinate's own index holds
-- only those that are doing, which that question does not say. The close clears the column.
CREATE INDEX queue_worker_jobs_worker_idx
    ON procrastinate_jobs (worker_id) WHERE worker_id IS NOT NULL;

CREATE INDEX worker_living_idx ON queue_worker.worker (worker_id) WHERE ended_at IS NULL;

-- Procrastinate records its events and notifies for each row. The same for each statement: half the
-- time of a batch goes into the former.
CREATE FUNCTION queue_worker.record_inserted() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
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

COMMENT ON FUNCTION queue_worker.record_inserted() IS
    'Trigger of procrastinate_jobs: the events that procrastinate records for each new job and its notifications, for a whole statement at once.';

CREATE FUNCTION queue_worker.record_updated() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
    SET enable_hashjoin = on  -- whatever the session says: the plan is made once, for however few
    SET enable_nestloop = off -- rows, and kept
AS $$
BEGIN
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

COMMENT ON FUNCTION queue_worker.record_updated() IS
    'Trigger of procrastinate_jobs: the events that procrastinate records for each changed status, for a whole statement at once.';

CREATE TRIGGER queue_worker_record_inserted
    AFTER INSERT ON procrastinate_jobs
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.record_inserted();

CREATE TRIGGER queue_worker_record_updated
    AFTER UPDATE ON procrastinate_jobs
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION queue_worker.record_updated();

ALTER TABLE procrastinate_jobs
    DISABLE TRIGGER procrastinate_trigger_status_events_insert_v1,
    DISABLE TRIGGER procrastinate_trigger_status_events_update_v1,
    DISABLE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1;
