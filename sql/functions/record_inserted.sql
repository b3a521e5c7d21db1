CREATE OR REPLACE FUNCTION queue_worker.record_inserted() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
DECLARE
    new_jobs bigint;
BEGIN
    INSERT INTO procrastinate_events (job_id, type)
    SELECT i.id, 'deferred' FROM inserted AS i WHERE i.status = 'todo';
    GET DIAGNOSTICS new_jobs = ROW_COUNT;

    IF new_jobs = 1 THEN  -- to group a single row would take about as long as all else here
        PERFORM pg_notify('procrastinate_queue_v1#' || told.queue_name, told.hint),
                pg_notify('procrastinate_any_queue_v1', told.hint)
           FROM (
                SELECT i.queue_name,
                       concat('{"type": "job_inserted", "job_id": ', i.id,
                              ', "first_id": ', i.id, ', "count": 1',
                              ', "first_due": ' || floor(extract(epoch FROM i.scheduled_at)), '}') AS hint
                  FROM inserted AS i
                 WHERE i.status = 'todo'
           ) AS told;
    ELSIF new_jobs > 1 THEN
        PERFORM pg_notify('procrastinate_queue_v1#' || told.queue_name, told.hint),
                pg_notify('procrastinate_any_queue_v1', told.hint)
           FROM (
                SELECT i.queue_name,
                       concat('{"type": "job_inserted", "job_id": ', max(i.id),
                              ', "first_id": ', min(i.id), ', "count": ', count(*),
                              ', "first_due": ' || floor(extract(epoch FROM min(i.scheduled_at))), '}') AS hint
                  FROM inserted AS i
                 WHERE i.status = 'todo'
                 GROUP BY i.queue_name
           ) AS told;
    END IF;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION queue_worker.record_inserted() IS
    'Trigger of procrastinate_jobs: the events that procrastinate records for each new job and its notifications, for a whole statement at once.';
