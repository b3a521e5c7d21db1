-- Why: two foreign keys and two indexes took a third of the server's time for a claim and its close;
-- what they kept is now kept once for each statement, by the triggers below and those of 0004.
-- Breaks older workers: no.
-- Way back: DROP the triggers queue_worker_forget_worker, queue_worker_drop_events and
-- queue_worker_drop_all_events and their two functions; ADD the two foreign keys as procrastinate's
-- schema has them; make procrastinate_jobs_lock_idx_v1 without its second condition, and
-- queue_worker_jobs_worker_idx as in 0004.

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

-- Who claims must be registered: queue_worker.check_worker() asks, for all rows of a statement at once.
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
