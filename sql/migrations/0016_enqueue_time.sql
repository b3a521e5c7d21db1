-- Why: every enqueue looked for workers among the rows that it wrote, which have none: the question is
-- asked of such a row alone, so that it costs the others nothing.
-- Breaks older workers: no.
-- Way back: DROP the trigger queue_worker_check_worker and its function, and have
-- queue_worker.record_inserted() ask queue_worker.check_worker() as record_updated() does.

CREATE FUNCTION queue_worker.check_inserted_worker() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM queue_worker.check_worker(ARRAY[NEW.worker_id]);
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.check_inserted_worker() IS
    'Trigger of procrastinate_jobs: refuse a new row that is claimed by a worker that is not registered.';

CREATE TRIGGER queue_worker_check_worker
    AFTER INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.worker_id IS NOT NULL)
    EXECUTE FUNCTION queue_worker.check_inserted_worker();
